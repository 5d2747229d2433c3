// Bundles the extension and packs it: dist/extension.js, dist/assistant.vsix.
//
// A .vsix is a zip file with the extension in the folder "extension", a manifest for the editor and
// a list of content types. The result carries everything: an editor without a network installs it.
import { build } from 'esbuild';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';

const bundle = await build({
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  bundle: true,
  external: ['vscode'],
  format: 'cjs',
  legalComments: 'none',
  metafile: true,
  minify: true,
  platform: 'node',
  target: 'node20',
});

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const files = {
  'extension.vsixmanifest': vsixManifest(manifest),
  '[Content_Types].xml': contentTypes(),
  'extension/package.json': JSON.stringify(shipped(manifest), null, 2),
  'extension/README.md': readFileSync('README.md'),
  'extension/LICENSE.txt': readFileSync(license()),
  'extension/NOTICES.txt': notices(Object.keys(bundle.metafile.inputs)),
  'extension/dist/extension.js': readFileSync('dist/extension.js'),
};
for (const name of readdirSync('walkthrough').sort()) {
  files[`extension/walkthrough/${name}`] = readFileSync(path.join('walkthrough', name));
}
writeFileSync('dist/assistant.vsix', zip(files));
console.log(`dist/assistant.vsix: ${Object.keys(files).length} files`);

/** What only a developer of the extension needs is left out. */
function shipped({ scripts, devDependencies, dependencies, private: _, ...rest }) {
  return rest;
}

/** The repository's licence; a copy of this folder alone has its own. */
function license() {
  return ['LICENSE', '../../../LICENSE'].find((file) => existsSync(file));
}

/** The licences of what is in the bundle. */
function notices(inputs) {
  const folders = inputs.map((file) => file.match(/.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
  return [...new Set(folders)].filter(Boolean).sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json')));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    const text = file ? readFileSync(path.join(folder, file), 'utf8') : '';
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  }).join(`\n${'-'.repeat(72)}\n\n`);
}

function vsixManifest({ name, displayName, description, version, publisher, categories, keywords, engines, extensionKind }) {
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${name}" Version="${version}" Publisher="${publisher}"/>
    <DisplayName>${displayName}</DisplayName>
    <Description xml:space="preserve">${description}</Description>
    <Tags>${keywords.join(',')}</Tags>
    <Categories>${categories.join(',')}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${engines.vscode}"/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="${extensionKind.join(',')}"/>
    </Properties>
    <License>extension/LICENSE.txt</License>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true"/>
  </Assets>
</PackageManifest>
`;
}

function contentTypes() {
  const types = { js: 'application/javascript', json: 'application/json', md: 'text/markdown', txt: 'text/plain', vsixmanifest: 'text/xml' };
  const lines = Object.entries(types).map(([end, type]) => `<Default Extension=".${end}" ContentType="${type}"/>`);
  return `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${lines.join('')}</Types>
`;
}

/** A zip file without dates: the same content gives the same bytes. */
function zip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const plain = Buffer.from(content);
    const packed = deflateRawSync(plain, { level: 9 });
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // the version that unpacks it
    common.writeUInt16LE(0x0800, 2); // names are UTF-8
    common.writeUInt16LE(8, 4); // deflate
    common.writeUInt16LE(0x21, 8); // 1980-01-01, the first day that the format knows
    common.writeUInt32LE(crc32(plain), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(plain.length, 18);
    common.writeUInt16LE(path.length, 22);
    parts.push(Buffer.from('PK\x03\x04'), common, path, packed);
    const place = Buffer.alloc(14); // no comment, first disk, no attributes
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, place, path);
    offset += 30 + path.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(entries).length, 4);
  end.writeUInt16LE(Object.keys(entries).length, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end]);
}
