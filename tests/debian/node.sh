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
    cat >y.js <<'S'
// A module of two functions that trap: div(a, b) and ld(address).
const code = new Uint8Array([0,97,115,109,1,0,0,0,1,12,2,96,2,127,127,1,127,96,1,127,1,127,3,3,2,0,1,5,3,1,0,1,7,12,2,3,100,105,118,0,0,2,108,100,0,1,10,17,2,7,0,32,0,32,1,109,11,7,0,32,0,40,2,0,11]);
const { div, ld } = new WebAssembly.Instance(new WebAssembly.Module(code)).exports;
let traps = 0;
for (let i = 0; i < 5000; i++) {
  try { div(i, i % 5 ? 3 : 0) } catch (e) { traps++ }
  try { ld(i % 3 ? 16 : 0x7ffffff0) } catch (e) { traps += 1000 }
}
console.log(traps);
function* squares(n) { for (let i = 0; i < n; i++) yield i * i }
let q = 0; for (const x of squares(300000)) q = (q + x) % 1000003; console.log(q);
const proxy = new Proxy({}, { get: (t, k) => k.length });
let pl = 0; for (let i = 0; i < 100000; i++) pl += proxy['k' + i]; console.log(pl);
let depth = 0; try { (function f() { depth++; f() })() } catch (e) { console.log(depth > 1000, e instanceof RangeError) }
const { Worker } = require('worker_threads');
const shared = new Int32Array(new SharedArrayBuffer(1024));
Promise.all([...Array(8)].map(() => new Promise((ok, no) => {
  const w = new Worker(`const { workerData: a, parentPort } = require('worker_threads');
    for (let i = 0; i < 50000; i++) {
      Atomics.add(a, 0, 1);
      while (Atomics.compareExchange(a, 1, 0, 1) !== 0) Atomics.wait(a, 1, 1, 1);
      a[2]++;
      Atomics.store(a, 1, 0);
      if (i % 16 == 0) Atomics.notify(a, 1, 1);
    }
    parentPort.postMessage(0)`, { eval: true, workerData: shared });
  w.on('message', ok); w.on('error', no) }))).then(() => {
  console.log(shared[0], shared[2]);
  const http = require('http'), server = http.createServer((q, a) => a.end('x'.repeat(1000) + q.url));
  server.listen('socket', async () => {
    let n = 0;
    for (let k = 0; k < 20; k++) await Promise.all([...Array(20)].map((_, i) => new Promise(ok =>
      http.get({ socketPath: 'socket', path: '/' + i }, r => { r.on('data', d => n += d.length); r.on('end', ok) }))));
    console.log(n); server.close();
  });
});
S
    p node y.js >out
    cat out
    printf '%s\n' 1668000 266000 588890 'true true' '400000 400000' 401000 | cmp - out
    for option in --always-opt --stress-compaction --always-sparkplug --no-lazy-feedback-allocation; do
        p node $option y.js | cmp - out
    done
    mkdir pkg
    echo '{"name":"local-package","version":"1.2.3","main":"i.js"}' >pkg/package.json
    echo 'module.exports = () => "from the package";' >pkg/i.js
    p node "$ROOT/usr/share/nodejs/npm/bin/npm-cli.js" install --offline --no-audit --no-fund ./pkg
    p node -e 'console.log(require("local-package")())' | grep -x 'from the package'
    p node --version
}
