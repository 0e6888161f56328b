// `node bundle.mjs PACKAGES SOURCES OUTPUT NAME...`: writes each module with all that it imports into one minified file,
// and the same compressed for the relay to serve.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const [packages, sources, output, ...names] = process.argv.slice(2);
const load = createRequire(join(packages, "package.json"));
const { build, transform } = load("esbuild");
const { gzipAsync } = load("@gfx/zopfli");

/** esbuild takes a style sheet in a template string for any text. */
const minifiedStyles = {
  name: "minified-styles",
  setup({ onLoad }) {
    onLoad({ filter: /-styles\.js$/ }, async ({ path }) => {
      const sheets = Object.entries(await import(pathToFileURL(path)));
      const lines = sheets.map(async ([name, css]) => {
        const { code } = await transform(css, { loader: "css", minify: true, target: "esnext" });
        return `export const ${name} = ${JSON.stringify(code.trim())};`;
      });
      return { contents: (await Promise.all(lines)).join("\n") };
    });
  },
};

for (const name of names) {
  const { outputFiles } = await build({
    entryPoints: [join(sources, `${name}.js`)],
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome123", "firefox128", "safari18"],
    charset: "utf8",
    plugins: [minifiedStyles],
    write: false,
  });
  const script = outputFiles[0].contents;
  const file = join(output, `${name}.js`);
  writeFileSync(file, script);
  writeFileSync(`${file}.gz`, await gzipAsync(script, {}));
  writeFileSync(`${file}.br`, brotliCompressSync(script, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: script.length } }));
}
