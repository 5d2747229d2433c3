/** What the server offers or is writing: its reasoning beside the code, and the keys that go with it. */
import { commands, type ExtensionContext, Uri, ViewColumn, window, workspace } from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { ask } from './server';

type Proposal = { id: string; state: 'running' | 'offered' | 'failed'; document: string };

const known = new Map<string, readonly Proposal[]>();

/** Listen to what a server tells of proposals. */
export function followProposals(client: LanguageClient): void {
  known.clear();
  client.onNotification('assistant/proposals', ({ uri, proposals }: { uri: string; proposals: Proposal[] }) => {
    const before = new Set(known.get(key(uri))?.map((one) => one.id));
    known.set(key(uri), proposals);
    updateKeys();
    const begun = proposals.find((one) => one.state === 'running' && !before.has(one.id));
    if (begun && workspace.getConfiguration('assistant').get('showReasoning')) {
      void showReasoning(begun.document);
    }
  });
}

/** The commands behind the keys; code lenses run the server's own. */
export function registerProposals({ subscriptions }: ExtensionContext): void {
  for (const name of ['accept', 'reject', 'cancel', 'verify', 'reasoning']) {
    subscriptions.push(commands.registerCommand(`assistant.editor.${name}`, () => ask(name, inFront())));
  }
  subscriptions.push(window.onDidChangeActiveTextEditor(updateKeys), window.tabGroups.onDidChangeTabs(updateKeys));
}

/** Open a document of the server's beside the code, as a page that can be read while it grows. */
export async function showReasoning(uri: string, preserveFocus = true): Promise<void> {
  const open = window.tabGroups.all.find(({ tabs }) => tabs.some((tab) => resource(tab)?.scheme === 'assistant'));
  const how = { viewColumn: open?.viewColumn ?? ViewColumn.Beside, preserveFocus, preview: true };
  await commands.executeCommand('vscode.openWith', Uri.parse(uri), 'vscode.markdown.preview.editor', how);
}

/** The newest proposal of the document in front, or the one whose reasoning is. */
function newest(): Proposal | undefined {
  const uri = resource()?.toString() ?? '';
  const all = [...known.values()].flat();
  const mine = known.get(uri) ?? all.filter((one) => key(one.document) === uri);
  return mine.filter((one) => one.state !== 'failed').at(-1);
}

function inFront(): object {
  const [proposal, uri] = [newest()?.id, resource()];
  return proposal ? { proposal } : uri && uri.scheme !== 'assistant' ? { uri: uri.toString() } : {};
}

/** What a tab shows; a page is no text editor. */
const resource = (tab = window.tabGroups.activeTabGroup.activeTab) => (tab?.input as { uri?: Uri } | undefined)?.uri;

/** Editor and server write the same address differently. */
const key = (uri: string) => Uri.parse(uri).toString();

function updateKeys(): void {
  void commands.executeCommand('setContext', 'assistant.hasProposal', newest() !== undefined);
}
