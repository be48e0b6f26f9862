# node.sh - Node.js: the JIT on numbers, strings, regular expressions, workers, streams, npm offline.
# test: long guest secs=600 packages=nodejs,npm,libc-bin,coreutils,dash

scenario()
{
    set -e
    cat >x.js <<'S'
const crypto = require('crypto'), zlib = require('zlib'), assert = require('assert');
let s = 0; for (let i = 0; i < 3e6; i++) { s = (s * 31 + (i ^ (i >> 3))) | 0; } console.log(s);
let f = 0; for (let i = 1; i < 1e6; i++) f += Math.sin(i) / i; console.log(f.toFixed(9));
const m = new Map(); for (let i = 0; i < 200000; i++) m.set('k' + (i % 5000), (m.get('k' + (i % 5000)) || 0) + i); console.log(m.get('k77'));
console.log('the quick brown fox'.repeat(1000).replace(/(\w+) (\w+)/g, '$2 $1').length);
console.log(crypto.createHash('sha256').update('x'.repeat(1e6)).digest('hex'));
const z = zlib.gzipSync(Buffer.alloc(300000, 'abc')); assert(zlib.gunzipSync(z).length === 300000);
console.log(JSON.stringify(JSON.parse('{"a":[1,2.5,{"b":null}],"c":"\u00fc"}')));
class A { constructor(x) { this.x = x } get() { return this.x } } class B extends A { get() { return super.get() * 2 } }
let t = 0; for (let i = 0; i < 1e6; i++) t += (i & 1 ? new A(i) : new B(i)).get(); console.log(t, 2n ** 200n % 1000007n);
try { null.x } catch (e) { console.log(e.constructor.name) }
const f64 = new Float64Array(1000).map((_, i) => i / 3); console.log(f64.reduce((a, b) => a + b));
(async () => { const r = await Promise.all([1, 2, 3].map(x => new Promise(ok => setTimeout(() => ok(x * x), 5)))); console.log(r);
  const { Worker } = require('worker_threads');
  const sums = await Promise.all([1, 2, 3, 4].map(n => new Promise((ok, no) => { const w = new Worker(
    'const { parentPort, workerData } = require("worker_threads"); let s = 0; for (let i = 0; i < 1e6; i++) s = (s + i * workerData) % 1000003; parentPort.postMessage(s)',
    { eval: true, workerData: n }); w.on('message', ok); w.on('error', no) })));
  console.log(sums);
  const { execFileSync } = require('child_process'); console.log(execFileSync(process.execPath, ['-p', '6*7']).toString().trim()); })();
S
    p node x.js >out
    cat out
    [ "$(wc -l <out)" = 12 ]
    tail -n 1 out | grep -qx 42
    mkdir pkg
    echo '{"name":"local-package","version":"1.2.3","main":"i.js"}' >pkg/package.json
    echo 'module.exports = () => "from the package";' >pkg/i.js
    p node "$ROOT/usr/share/nodejs/npm/bin/npm-cli.js" install --offline --no-audit --no-fund ./pkg
    p node -e 'console.log(require("local-package")())' | grep -x 'from the package'
    p node --version
}
