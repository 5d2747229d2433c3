/** The status bar item: how the assistant is, in words. */
import * as vscode from 'vscode';
import { type LanguageClient, State } from 'vscode-languageclient/node';

export interface Status {
  kind: string; message: string; progress?: number; model?: string; memoryBytes?: number; tokensPerSecond?: number;
  inline?: { model?: string; reason?: string }; queue?: { running: number; waiting: number };
}

const ICONS: Record<string, string> = {
  unknown: 'circle-outline', starting: 'loading~spin', loading: 'loading~spin', ready: 'sparkle',
  busy: 'sync~spin', off: 'circle-slash', failed: 'error',
};
const STATES: Partial<Record<State, Status>> = {
  [State.Starting]: { kind: 'starting', message: 'the language server starts' },
  [State.Running]: { kind: 'unknown', message: 'nothing was asked yet' },
};
const GONE = { kind: 'failed', message: 'the language server does not run' };
let item: vscode.StatusBarItem;

/** Make the item; it stays, whatever becomes of the server. */
export function registerStatus({ subscriptions }: vscode.ExtensionContext): void {
  item = vscode.window.createStatusBarItem('status', vscode.StatusBarAlignment.Right, 100);
  item.name = 'Assistant';
  item.command = 'assistant.editor.menu';
  subscriptions.push(item);
  showStatus(GONE);
  item.show();
}

/** Show what a server says, and that it ended when it did. */
export function followStatus(client: LanguageClient): void {
  client.onNotification('assistant/status', showStatus);
  client.onDidChangeState(({ newState }) => showStatus(STATES[newState] ?? GONE));
}

/** What is known, a paragraph each. */
export function describe({ message, model, inline, memoryBytes, tokensPerSecond, queue }: Status): string {
  return [
    `Assistant: ${message}`,
    model && `Model: ${model}`,
    inline?.model && `Suggestions: ${inline.model}`,
    inline?.reason && `No suggestions: ${inline.reason}`,
    memoryBytes && `Memory: ${(memoryBytes / 2 ** 30).toFixed(2)} GiB`,
    tokensPerSecond && `Tokens a second: ${tokensPerSecond.toFixed(1)}`,
    queue && `Requests: ${queue.running} running, ${queue.waiting} waiting`,
  ].filter(Boolean).join('\n\n');
}

function showStatus(status: Status): void {
  const percent = status.progress === undefined ? '' : ` ${Math.round(status.progress * 100)} %`;
  const state = ['ready', 'unknown'].includes(status.kind) ? '' : `: ${status.kind}${percent}`;
  item.text = `$(${ICONS[status.kind] ?? 'question'}) assistant${state}`;
  item.tooltip = new vscode.MarkdownString(describe(status));
  item.backgroundColor = status.kind === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
}
