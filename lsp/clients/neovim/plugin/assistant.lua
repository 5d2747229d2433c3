-- Enables the language server and defines the commands. Runs once, at start.
if vim.g.loaded_assistant then
  return
end
vim.g.loaded_assistant = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify('assistant needs Neovim 0.11 or newer', vim.log.levels.WARN)
  return
end

vim.lsp.enable('assistant')

vim.api.nvim_create_user_command('AssistantImplement', function()
  require('assistant').implement()
end, { desc = 'Write the body of the described function under the cursor' })

vim.api.nvim_create_user_command('AssistantCancel', function()
  require('assistant').cancel()
end, { desc = 'Stop what AssistantImplement is writing' })

vim.keymap.set('n', '<Plug>(assistant-implement)', '<Cmd>AssistantImplement<CR>')
vim.keymap.set('n', '<Plug>(assistant-cancel)', '<Cmd>AssistantCancel<CR>')

-- The reasoning while it runs, in the message line; `vim.g.assistant_quiet = true` turns it off.
vim.api.nvim_create_autocmd('LspProgress', {
  group = vim.api.nvim_create_augroup('assistant', {}),
  callback = function(event)
    require('assistant').show_progress(event.data)
  end,
})
