// A browser for a test in another language: one JSON object a line in, one out.
//
// in:  {"id": 1, "page": 0, "call": "keyboard.press", "arguments": ["Enter"]}
// out: {"id": 1, "value": ...} or {"id": 1, "error": "..."}
// "open" makes another page, "texts" gives the text of each of a page's frames; every other call is
// a method of Playwright's page by its path.
// A function to evaluate comes as {"function": "source"}.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [, , cache, program, ...flags] = process.argv;
const { chromium } = createRequire(`${cache}/`)('playwright-core');
const browser = await chromium.launch({ executablePath: program, args: flags });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
await context.grantPermissions(['clipboard-read', 'clipboard-write']);
const pages = [];

async function open(address) {
  const page = await context.newPage();
  pages.push(page);
  await page.goto(address);
  return pages.length - 1;
}

function call({ page, call: path, arguments: given }) {
  const names = path.split('.');
  const method = names.pop();
  const target = names.reduce((object, name) => object[name], pages[page]);
  const values = given.map((one) => (one?.function ? (0, eval)(`(${one.function})`) : one));
  return target[method](...values);
}

/** Editors show pages in frames of their own; one that is going away has no text. */
function texts(page) {
  const read = (frame) => frame.evaluate(() => document.body?.innerText ?? '').catch(() => '');
  return Promise.all(pages[page].frames().map(read));
}

const calls = { open: ({ arguments: given }) => open(...given), texts: ({ page }) => texts(page) };

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const work = async () => (calls[request.call] ?? call)(request);
  work().then(
    (value) => ({ value: isPlain(value) ? value : null }),
    (error) => ({ error: String(error) }),
  ).then((answer) => process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`));
}
await browser.close();

/** Handles and buffers stay here. */
function isPlain(value) {
  return value === undefined || value === null || ['string', 'number', 'boolean'].includes(typeof value)
    || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
