-- `:checkhealth assistant`: what keeps a suggestion from appearing, as far as the editor knows.
local M = {}

function M.check()
  local health, config = vim.health, vim.lsp.config.assistant or {}
  health.start('assistant')
  health.ok('Neovim ' .. tostring(vim.version()))
  if not vim.lsp.inline_completion then
    health.info('no ghost text before Neovim 0.12: suggestions are among the completions, <C-x><C-o>')
  end
  local program = type(config.cmd) == 'table' and config.cmd[1]
  if program and vim.fn.executable(program) == 0 then
    health.error(program .. ' is not an executable on the path', {
      "install the assistant, or vim.lsp.config('assistant', { cmd = { '/path/to/assistant', 'lsp' } })",
    })
  elseif program then
    health.ok('the server is ' .. vim.fn.exepath(program))
  end
  local clients = vim.lsp.get_clients({ name = 'assistant' })
  for _, client in ipairs(clients) do
    local version, served = client.server_info.version, vim.tbl_count(client.attached_buffers)
    health.ok(('version %s serves %d buffer(s)'):format(version, served))
  end
  if #clients == 0 then
    health.warn('it serves no buffer now', { 'open a file' })
  end
  health.info('its status: ' .. require('assistant').status() .. '; why nothing was suggested: :AssistantWhy')
  health.info('the model and its engine: run `assistant doctor` in a terminal')
end

return M
