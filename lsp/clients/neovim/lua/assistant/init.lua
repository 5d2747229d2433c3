-- What the commands do: ask the server for its action under the cursor, run it, cancel it.
-- Everything that knows code, models or edits is in the server.
local M = {}

local COMMAND = 'assistant.implement'

---@type { client: vim.lsp.Client, id: integer }[] requests that run, the newest last
local running = {}

---@return vim.lsp.Client? client the server of the current buffer
local function client_here()
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'assistant' })[1]
  if not client then
    vim.notify('assistant is not attached to this buffer; see :checkhealth assistant', vim.log.levels.WARN)
  end
  return client
end

---@param client vim.lsp.Client
---@param command lsp.Command
---@param buffer integer
local function run(client, command, buffer)
  local request = { client = client }
  local function finished(failure)
    running = vim.tbl_filter(function(other)
      return other ~= request
    end, running)
    if failure then
      vim.notify('assistant: ' .. failure.message, vim.log.levels.ERROR)
    end
  end
  local params = { command = command.command, arguments = command.arguments }
  local sent, id = client:request('workspace/executeCommand', params, finished, buffer)
  if sent then
    request.id = id
    table.insert(running, request)
  end
end

--- Write the body of the function under the cursor.
function M.implement()
  local client, buffer = client_here(), vim.api.nvim_get_current_buf()
  if not client then
    return
  end
  local params = vim.lsp.util.make_range_params(0, client.offset_encoding)
  params.context = { diagnostics = {}, only = { 'refactor.rewrite' } }
  client:request('textDocument/codeAction', params, function(failure, actions)
    if failure then
      vim.notify('assistant: ' .. failure.message, vim.log.levels.ERROR)
      return
    end
    for _, action in ipairs(actions or {}) do
      if action.command and action.command.command == COMMAND then
        run(client, action.command, buffer)
        return
      end
    end
    vim.notify('No function with a description and without a body here', vim.log.levels.INFO)
  end, buffer)
end

--- Stop the newest request that runs.
function M.cancel()
  -- Taken off here: Neovim does not pass on the answer to a request that was cancelled.
  local newest = table.remove(running)
  if newest then
    newest.client:cancel_request(newest.id)
  else
    vim.notify('Nothing is being written', vim.log.levels.INFO)
  end
end

---@return boolean whether a request of ours runs
function M.is_running()
  return #running > 0
end

--- Show a progress message in the message line, cut to its width.
---@param data { client_id: integer, params: lsp.ProgressParams }
function M.show_progress(data)
  local client = vim.lsp.get_client_by_id(data.client_id)
  if vim.g.assistant_quiet or not client or client.name ~= 'assistant' then
    return
  end
  local text = data.params.value.message or ''
  local width = vim.o.columns - 12
  if vim.fn.strdisplaywidth(text) > width then
    text = vim.fn.strcharpart(text, 0, width - 1) .. '…'
  end
  vim.api.nvim_echo({ { text, 'Comment' } }, false, {})
end

return M
