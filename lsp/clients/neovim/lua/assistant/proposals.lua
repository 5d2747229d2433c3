-- Proposals: shown as virtual lines below their place, never in the buffer; keys while there are any.
local M = {}

local LONGEST, EVERY = 100, 50 -- lines of code that are shown, milliseconds between two times that they are
local KEYS = { accept = '<M-y>', reject = '<M-n>', reasoning = '<M-r>' }
local space = vim.api.nvim_create_namespace('assistant')
vim.api.nvim_set_hl(0, 'AssistantNote', { link = 'Comment', default = true })
vim.api.nvim_set_hl(0, 'AssistantCode', { link = 'DiffAdd', default = true })

---@type table<integer, table<string, table>> by buffer and id: what the server told, its `code` and `mark`
local known = {}

local function row_of(buffer, one)
  return one.mark and vim.api.nvim_buf_get_extmark_by_id(buffer, space, one.mark, {})[1] or one.range['end'].line
end

local function headline(one)
  local found = one.verdict and ('%s: %s'):format(one.verdict.outcome, one.verdict.detail) or 'unchecked'
  if one.state == 'running' then
    return ('%s … %s'):format(one.title, #one.code == 0 and (one.section or 'thinking') or found)
  end
  local keys = ('%s accept  %s reject  %s why · '):format(KEYS.accept, KEYS.reject, KEYS.reasoning)
  return ('%s%s, %s · %s'):format(vim.g.assistant_no_maps and '' or keys, one.title, one.state, found)
end

local function draw(buffer, one)
  local lines = { { { '▎ ' .. headline(one), 'AssistantNote' } } }
  local code = #one.code > 0 and vim.split(vim.trim(table.concat(one.code)), '\n') or {}
  for _, line in ipairs(vim.list_slice(code, 1, LONGEST)) do
    table.insert(lines, { { '▎ ' .. line:gsub('\t', '    '), 'AssistantCode' } })
  end
  if #code > LONGEST then
    table.insert(lines, { { ('▎ and %d lines more'):format(#code - LONGEST), 'AssistantNote' } })
  end
  local row = math.min(row_of(buffer, one), vim.api.nvim_buf_line_count(buffer) - 1)
  one.mark = vim.api.nvim_buf_set_extmark(buffer, space, row, 0, { id = one.mark, virt_lines = lines })
end

--- Keys are there only while there is something to press them for.
local function map(buffer, wanted)
  for name, key in pairs(wanted ~= (vim.b[buffer].assistant_keys or false) and KEYS or {}) do
    if wanted then
      vim.keymap.set({ 'n', 'i' }, key, '<Plug>(assistant-' .. name .. ')', { buffer = buffer, remap = true })
    else
      vim.keymap.del({ 'n', 'i' }, key, { buffer = buffer })
    end
  end
  vim.b[buffer].assistant_keys = wanted
end

--- The proposals of a document, all of them: one that is missing is gone.
function M.on_proposals(_, params)
  local buffer = vim.uri_to_bufnr(params.uri)
  local before, now = known[buffer] or {}, {}
  known[buffer] = now
  if vim.api.nvim_buf_is_loaded(buffer) then
    for _, told in ipairs(params.proposals) do
      now[told.id] = vim.tbl_extend('force', before[told.id] or { code = {} }, told)
      draw(buffer, now[told.id])
      if told.task == 'explain' and not before[told.id] then
        require('assistant.view').open(told.document) -- all of it is there
      end
    end
    for id, one in pairs(before) do
      if not now[id] then
        vim.api.nvim_buf_del_extmark(buffer, space, one.mark)
      end
    end
    map(buffer, next(now) ~= nil and not vim.g.assistant_no_maps)
  end
end

--- A piece of a proposal that is being written. What is reasoned stands in its document.
function M.on_event(_, event)
  local buffer = vim.uri_to_bufnr(event.uri)
  local one = vim.tbl_get(known, buffer, event.proposal)
  if not one then
    return
  elseif event.replaces then
    one.code, one.verdict = {}, nil
  end
  one.verdict, one.section = event.verdict or one.verdict, event.section or one.section
  table.insert(one.code, event.kind == 'code' and event.text or nil)
  one.waiting = one.waiting or vim.defer_fn(function()
    local now = vim.tbl_get(known, buffer, event.proposal)
    if now and vim.api.nvim_buf_is_loaded(buffer) then
      now.waiting = nil
      draw(buffer, now)
    end
  end, EVERY)
end

--- The id of the proposal that is nearest to the cursor.
function M.nearest()
  local buffer, cursor = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)[1] - 1
  local here = vim.tbl_values(known[buffer] or {})
  local function far(one) return math.abs(row_of(buffer, one) - cursor) end
  table.sort(here, function(one, other) return far(one) < far(other) end)
  return here[1] and here[1].id
end

return M
