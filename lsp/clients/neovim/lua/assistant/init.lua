-- What the commands do: ask the server, show what it says. Code, models and edits are its business.
local M = {}

local state = {} -- the server's last status

--- What is said about an answer; about those of the other commands the server speaks itself.
local words = {
  cancel = function(result) return result.cancelled == 0 and 'nothing is being written' end,
  context = function(result) require('assistant.view').open(nil, result.text) end,
  reasoning = function(result) return result.reason end,
  status = function(result) return ('%s. %s'):format(result.kind, result.message or '') end,
  why = function(result)
    local lines = vim.tbl_map(function(one)
      return ('line %d at %s: %s'):format(one.line + 1, os.date('%H:%M:%S', math.floor(one.when)), one.reason)
    end, result.reasons)
    return #lines > 0 and table.concat(lines, '\n') or 'no suggestion was held back here'
  end,
}

local function ask(command, context)
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local params = { command = command.command, arguments = command.arguments }
  client:request('workspace/executeCommand', params, function(failure, result)
    local word = words[command.command:match('[^.]+$')]
    local said = failure and failure.message or word and word(result)
    return said and vim.notify('assistant: ' .. said, vim.log.levels[failure and 'ERROR' or 'INFO'])
  end, context.bufnr)
end

--- Have something generated, by our commands and by the server's code actions. How to rewrite is asked
--- where nothing says so; nothing happens when there is no answer.
function M.generate(command, context)
  local one = command.arguments[1]
  if one.task ~= 'rewrite' or one.instruction then
    return ask(command, context)
  end
  vim.ui.input({ prompt = 'Rewrite how? ' }, function(said)
    one.instruction = said
    return (said or '') ~= '' and ask(command, context)
  end)
end

--- Run one of the server's commands.
---@param name string
---@param task? string for `generate`
---@param given table what a user command's function is given
function M.run(name, task, given)
  local buffer, util = vim.api.nvim_get_current_buf(), vim.lsp.util
  local client = vim.lsp.get_clients({ bufnr = buffer, name = 'assistant' })[1]
  if not client then
    return vim.notify('assistant: no server is attached here; see :checkhealth assistant', vim.log.levels.WARN)
  end
  local first, last = { given.line1, 0 }, { given.line2, math.max(0, #vim.fn.getline(given.line2) - 1) }
  local place = given.range > 0 and util.make_given_range_params(first, last, buffer, client.offset_encoding)
    or util.make_range_params(0, client.offset_encoding)
  local found = task == 'fix' and vim.diagnostic.get(buffer, { lnum = vim.fn.line('.') - 1 })[1]
  local uri = place.textDocument.uri
  local proposal = { uri = uri, proposal = require('assistant.proposals').nearest() }
  local arguments = {
    generate = {
      task = task, uri = uri, range = place.range, version = util.buf_versions[buffer],
      instruction = given.args ~= '' and given.args or nil,
      diagnostic = found and { message = found.message, code = found.code } or nil,
    },
    context = { uri = uri, position = place.range.start },
    why = { uri = uri },
    accept = proposal, reject = proposal, verify = proposal, reasoning = proposal,
  }
  local command = { command = 'assistant.' .. name, arguments = { arguments[name] or vim.empty_dict() } }
  return (name == 'generate' and M.generate or ask)(command, { client_id = client.id, bufnr = buffer })
end

--- The server's status, for a status line; '' when it has none.
---@return string
function M.status()
  local progress = type(state.progress) == 'number' and (' %d%%'):format(state.progress * 100) or ''
  return state.kind and 'assistant: ' .. state.kind .. progress or ''
end

function M.on_status(_, status)
  state = status
  vim.cmd.redrawstatus({ bang = true })
end

return M
