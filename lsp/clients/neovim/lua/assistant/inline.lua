-- Ghost text: Neovim's own (0.12), with keys, and accepted only where it still fits what was typed.
local M = {}

local asked = {} -- by request: the client, the cursor and its line

--- A suggestion is for the line as it was when it was asked for, not as it is when it comes.
local function follow(event)
  local id, request, client = event.data.request_id, event.data.request, vim.lsp.get_client_by_id(event.data.client_id)
  if request.method ~= 'textDocument/inlineCompletion' or not client or client.name ~= 'assistant' then
    return
  elseif request.type == 'pending' then
    local row, column = unpack(vim.api.nvim_win_get_cursor(0))
    asked[id] = { client = client.id, row = row, column = column, line = vim.api.nvim_get_current_line() }
  else
    vim.b[event.buf].assistant_asked = request.type == 'complete' and asked[id] or nil
    asked[id] = nil
  end
end

--- Insert a suggestion, or its next word or line, behind what was typed of it since it was asked for.
local function insert(item, part)
  local text, was = item.insert_text, vim.b.assistant_asked
  if type(text) ~= 'string' or not (item.range and was) or was.client ~= item.client_id then
    return item
  end
  local row, first, _, last = item.range:to_extmark()
  local cursor, line = vim.api.nvim_win_get_cursor(0), vim.api.nvim_get_current_line()
  local typed = line:sub(was.column + 1, cursor[2])
  local there = was.line:sub(first + 1, was.column) .. typed
  local fits = vim.startswith(text, there) -- or it takes the place of white space: indents less
  local same = line == was.line:sub(1, was.column) .. typed .. was.line:sub(was.column + 1)
  if cursor[1] ~= was.row or not same or not (fits or typed == '' and not there:find('%S')) then
    return
  end
  local rest, taken, command = text:sub(#there + 1), text, item.command
  last = last + #typed
  if part and fits then
    local pattern = part == 'word' and [[\v^\_s*%(\k+|%(\k@!\S)+|$)]] or [[\v^\n?[^\n]*]]
    local some = vim.fn.matchstr(rest, pattern)
    if some ~= rest then
      taken, first, last = some, cursor[2], cursor[2]
      local accepted = { id = vim.tbl_get(command or {}, 'arguments', 1, 'id'), length = #there + #some }
      command = { title = '', command = 'assistant.partiallyAccepted', arguments = { accepted } }
    end
  end
  local lines = vim.split(taken, '\n')
  vim.bo.undolevels = vim.bo.undolevels -- ends the undo step: what was typed stays when this is undone
  vim.api.nvim_buf_set_text(0, row, first, row, last, lines)
  vim.api.nvim_win_set_cursor(0, { row + #lines, (#lines == 1 and first or 0) + #lines[#lines] })
  if command then
    vim.lsp.get_client_by_id(item.client_id):exec_cmd(command, { bufnr = vim.api.nvim_get_current_buf() })
  end
end

--- Take what is shown, or only the next word or line of it; false when nothing is.
---@param part? 'word'|'line'
function M.accept(part)
  return vim.lsp.inline_completion.get({ on_accept = function(item) return insert(item, part) end })
end

--- Show another candidate; the first time, ask for more than the one that comes by itself.
function M.choose(count)
  local shown = require('vim.lsp._capability').all.inline_completion.active[vim.api.nvim_get_current_buf()]
  if shown and shown:count_items() < 2 then
    return shown:request(vim.lsp.protocol.InlineCompletionTriggerKind.Invoked)
  end
  vim.lsp.inline_completion.select({ count = count })
end

--- Show suggestions in a buffer, and give it keys.
function M.attach(client, buffer)
  if not vim.lsp.inline_completion then
    -- By itself Neovim would take no more than its first word.
    local function convert(item) return { word = item.textEdit.newText } end
    return vim.lsp.completion.enable(true, client, buffer, { convert = convert })
  elseif vim.b[buffer].assistant_inline then
    return
  end
  vim.b[buffer].assistant_inline = true
  vim.api.nvim_create_autocmd('LspRequest', { buffer = buffer, callback = follow })
  vim.lsp.inline_completion.enable(true, { bufnr = buffer })
  -- Whoever typed while the server was starting waits for a suggestion, and moves nothing.
  if vim.fn.mode() == 'i' then vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = buffer, modeline = false }) end
  local before = vim.fn.maparg('<Tab>', 'i', false, true)
  local otherwise = before.expr == 1 and before.callback
  local keys = {
    accept = { '<Tab>', function() return M.accept() and '' or otherwise and otherwise() or '<Tab>' end },
    word = { '<M-Right>', function() M.accept('word') end },
    line = { '<M-Down>', function() M.accept('line') end },
    next = { '<M-]>', function() M.choose(1) end },
    previous = { '<M-[>', function() M.choose(-1) end },
  }
  for name, key in pairs(keys) do
    local options = { buffer = buffer, expr = name == 'accept' }
    vim.keymap.set('i', '<Plug>(assistant-inline-' .. name .. ')', key[2], options)
    -- A <Tab> of the person's own stays, unless it is a function that says what to type instead.
    if not vim.g.assistant_no_maps and (name ~= 'accept' or vim.tbl_isempty(before) or otherwise) then
      vim.keymap.set('i', key[1], key[2], options)
    end
  end
end

return M
