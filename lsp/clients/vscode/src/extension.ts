/** The extension: its parts put together. What it shows comes from the language server. */
import { commands, type ExtensionContext, workspace } from 'vscode';
import { registerLookups } from './lookups';
import { followProposals, registerProposals } from './proposals';
import { startServer, stopServer } from './server';
import { followStatus, registerStatus } from './status';
import { registerTasks } from './tasks';

export async function activate(context: ExtensionContext): Promise<void> {
  for (const register of [registerStatus, registerProposals, registerTasks, registerLookups]) {
    register(context);
  }
  context.subscriptions.push(
    commands.registerCommand('assistant.editor.restart', start),
    workspace.onDidGrantWorkspaceTrust(start),
    workspace.onDidChangeConfiguration((event) => event.affectsConfiguration('assistant.path') && start()),
  );
  await start();
}

export const deactivate = stopServer;

let started = Promise.resolve();

/** One after the other, whoever asks for it meanwhile. */
function start(): Promise<void> {
  started = started.then(() => startServer((client) => {
    followStatus(client);
    followProposals(client);
  }));
  return started;
}
