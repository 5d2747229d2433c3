-- Configuration of the language server for `vim.lsp.enable('assistant')`.
-- Change it with `vim.lsp.config('assistant', { ... })`; see `:help assistant-config`.

--- Apply an edit only to the version that it was made for, and tell the server when it was not.
--- Neovim 0.12 by itself answers "applied" either way, and does not look at the version of a buffer
--- that was not changed since it was opened (its version is 0).
local function apply_edit(failure, params, context)
  for _, change in ipairs(params.edit.documentChanges or {}) do
    local document = change.textDocument
    local buffer = vim.uri_to_bufnr(document.uri)
    local version = vim.lsp.util.buf_versions[buffer]
    if type(document.version) == 'number' and document.version ~= version then
      local reason = ('the buffer is at version %s, not %s'):format(version, document.version)
      return { applied = false, failureReason = reason }
    end
  end
  return vim.lsp.handlers['workspace/applyEdit'](failure, params, context)
end

---@type vim.lsp.Config
return {
  cmd = { 'assistant', 'lsp' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', 'setup.cfg', '.git' },
  handlers = { ['workspace/applyEdit'] = apply_edit },
}
