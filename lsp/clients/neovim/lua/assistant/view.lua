-- A window for reading: the server's documents (`assistant:/...`), which may still grow, and plain texts.
local M = {}

--- Replace the text; a window whose cursor is at the end follows it.
local function fill(buffer, text)
  local lines, window = vim.split(text, '\n'), vim.fn.bufwinid(buffer)
  local last = vim.api.nvim_buf_line_count(buffer)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable, vim.bo[buffer].modified = false, false
  if window ~= -1 and last > 1 and vim.api.nvim_win_get_cursor(window)[1] == last then
    vim.api.nvim_win_set_cursor(window, { #lines, 0 })
  end
end

--- Show a buffer for reading in the window that was opened for that before, or beside the current one.
local function show(buffer)
  local window = vim.iter(vim.api.nvim_list_wins()):find(function(one) return vim.w[one].assistant end)
  if not window then
    local here = vim.api.nvim_get_current_win()
    vim.cmd(vim.g.assistant_split or 'botright vsplit')
    window = vim.api.nvim_get_current_win()
    vim.w.assistant, vim.wo.wrap, vim.wo.linebreak, vim.wo.number, vim.wo.conceallevel = true, true, true, false, 2
    vim.api.nvim_set_current_win(here)
  end
  vim.api.nvim_win_set_buf(window, buffer)
  vim.bo[buffer].buftype, vim.bo[buffer].bufhidden, vim.bo[buffer].swapfile = 'nofile', 'wipe', false
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'Close' })
  -- Some packages of Neovim come without the parser, and its file type then fails.
  vim.bo[buffer][vim.treesitter.language.add('markdown') and 'filetype' or 'syntax'] = 'markdown'
end

--- Get the text of a document from the server.
---@param buffer integer named by the document's uri
function M.load(buffer)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'assistant' })) do
    local params = { uri = vim.api.nvim_buf_get_name(buffer) }
    client:request('workspace/textDocumentContent', params, function(_, result)
      return result and vim.api.nvim_buf_is_valid(buffer) and fill(buffer, result.text)
    end)
  end
end

function M.on_refresh(_, params)
  local buffer = vim.uri_to_bufnr(params.uri)
  return vim.api.nvim_buf_is_loaded(buffer) and M.load(buffer) or vim.NIL
end

function M.on_show(failure, params, context)
  if not vim.startswith(params.uri, 'assistant:') then
    return vim.lsp.handlers['window/showDocument'](failure, params, context)
  end
  M.open(params.uri)
  return { success = true }
end

--- Show a document of the server or, when there is no such document, a text.
---@param uri? string
---@param text? string
function M.open(uri, text)
  local buffer = uri and vim.uri_to_bufnr(uri) or vim.api.nvim_create_buf(false, true)
  vim.fn.bufload(buffer)
  show(buffer)
  return text and fill(buffer, text)
end

return M
