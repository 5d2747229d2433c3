-- `:checkhealth assistant`: everything that can keep an offer from appearing.
local M = {}

function M.check()
  local health = vim.health
  health.start('assistant')
  if vim.fn.has('nvim-0.11') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()))
  else
    health.error('Neovim 0.11 or newer is needed, this is ' .. tostring(vim.version()))
    return
  end
  local command = vim.lsp.config.assistant and vim.lsp.config.assistant.cmd or {}
  local program = type(command) == 'table' and command[1] or nil
  if not program then
    health.info('the server is started by a function')
  elseif vim.fn.executable(program) == 1 then
    health.ok('the server is ' .. vim.fn.exepath(program))
  else
    health.error(program .. ' is not an executable on the path', {
      "install the assistant, or vim.lsp.config('assistant', { cmd = { '/path/to/assistant', 'lsp' } })",
    })
  end
  if vim.lsp.is_enabled and vim.lsp.is_enabled('assistant') then
    health.ok('it is enabled')
  end
  local clients = vim.lsp.get_clients({ name = 'assistant' })
  if #clients == 0 then
    health.warn('it serves no buffer now', { 'open a Python file' })
  end
  for _, client in ipairs(clients) do
    local version = client.server_info and client.server_info.version or '?'
    health.ok(('version %s serves %d buffer(s)'):format(version, vim.tbl_count(client.attached_buffers)))
  end
  health.info('the model and its engine: run `assistant doctor` in a terminal')
end

return M
