-- Enables the language server and defines commands and mappings. Runs once, at start.
if vim.g.loaded_assistant or vim.fn.has('nvim-0.11') == 0 then
  return
end
vim.g.loaded_assistant = true

for name, does in pairs({
  Implement = { 'generate', 'Write the body of the described function at the cursor' },
  Fix = { 'generate', 'Fix the diagnostic at the cursor' },
  Explain = { 'generate', 'Explain the function at the cursor, or the range' },
  Tests = { 'generate', 'Write tests for the function at the cursor' },
  Docstring = { 'generate', 'Write the docstring of the function at the cursor' },
  Rewrite = { 'generate', 'Rewrite the range by an instruction' },
  Accept = { 'accept', 'Put the proposal at the cursor into the buffer' },
  Reject = { 'reject', 'Drop the proposal at the cursor' },
  Cancel = { 'cancel', 'Stop what is being written' },
  Verify = { 'verify', 'Check the proposal at the cursor once more' },
  Reasoning = { 'reasoning', 'Read the reasoning of the proposal at the cursor' },
  Context = { 'context', 'What the model is sent for the cursor' },
  Why = { 'why', 'Why was nothing suggested?' },
  Status = { 'status', 'What the model and its engine do' },
  Model = { 'selectModel', 'Choose the model' },
}) do
  vim.api.nvim_create_user_command('Assistant' .. name, function(given)
    require('assistant').run(does[1], does[1] == 'generate' and name:lower() or nil, given)
  end, { range = true, nargs = '*', desc = does[2] })
  vim.keymap.set({ 'n', 'i' }, '<Plug>(assistant-' .. name:lower() .. ')', '<Cmd>Assistant' .. name .. '<CR>')
end

local group = vim.api.nvim_create_augroup('assistant', {})
vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    if vim.lsp.get_client_by_id(event.data.client_id).name == 'assistant' then
      require('assistant.inline').attach(event.data.client_id, event.buf)
    end
  end,
})
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = group,
  pattern = 'assistant:/*', -- the server's own documents: the reasoning of a proposal
  callback = function(event) require('assistant.view').load(event.buf) end,
})

vim.lsp.enable('assistant')
