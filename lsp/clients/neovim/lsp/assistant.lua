-- Configuration of the language server for `vim.lsp.enable('assistant')`.
-- Change it with `vim.lsp.config('assistant', { ... })`; see `:help assistant-config`.
---@type vim.lsp.Config
return {
  cmd = { 'assistant', 'lsp' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', 'setup.cfg', '.git' },
}
