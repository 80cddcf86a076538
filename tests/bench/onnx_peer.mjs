/*
 * tests/bench/onnx_peer.mjs
 *	  Time ONNX Runtime, float32, CPU, at the work of mmrd.
 *
 *	  node onnx_peer.mjs DIR [--threads 2] [--warmup 2] [--runs 5] [--serve]
 *
 * DIR is a case (peer_case.py) with the model.onnx of onnx_export.py.  One
 * scan, images to blurred map.  The map is checked against DIR/map.f32 before
 * anything is timed.  Prints one JSON object a line, in seconds per scan; with
 * --serve a line {"ready": ...} and then one run for each line read, so that
 * another program can have its own turns between.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/* What float32 can meet, relative to max(|value|, rms of the map). */
const MAP_TOLERANCE = 1e-4;

function say(object)
{
	console.log(JSON.stringify(object));
}

function skip(reason)
{
	say({ peer: 'onnxruntime', skipped: reason });
	process.exit(0);
}

/* Little-endian float32; copied, for alignment. */
function readFloats(path)
{
	const bytes = readFileSync(path);
	return new Float32Array(bytes.buffer.slice(
		bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function mapError(found, wanted)
{
	if (found.length !== wanted.length)
		return Infinity;
	const rms = Math.sqrt(
		wanted.reduce((sum, v) => sum + v * v, 0) / wanted.length);
	let worst = 0;
	for (let i = 0; i < wanted.length; i++)
	{
		const error = Math.abs(found[i] - wanted[i]) /
			Math.max(Math.abs(wanted[i]), rms);
		/* Written so that a NaN counts as the worst. */
		if (!(error <= worst))
			worst = Number.isNaN(error) ? Infinity : error;
	}
	return worst;
}

function median(values)
{
	const sorted = [...values].sort((a, b) => a - b);
	const half = sorted.length >> 1;
	return sorted.length % 2 ? sorted[half]
		: (sorted[half - 1] + sorted[half]) / 2;
}

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		threads: { type: 'string', default: '2' },
		warmup: { type: 'string', default: '2' },
		runs: { type: 'string', default: '5' },
		serve: { type: 'boolean', default: false }
	}
});
const folder = positionals[0];
const threads = Number(values.threads);

if (folder === undefined)
{
	console.error('usage: onnx_peer.mjs DIR [--threads N] [--runs N]');
	process.exit(2);
}

const require = createRequire(import.meta.url);
let ort;
try
{
	ort = require('onnxruntime-node');
}
catch (error)
{
	skip(`onnxruntime-node is not installed (${error.code})`);
}
if (!existsSync(join(folder, 'model.onnx')))
	skip(`${folder}/model.onnx is missing: run onnx_export.py`);

const session = await ort.InferenceSession.create(
	join(folder, 'model.onnx'), {
		executionProviders: ['cpu'],
		executionMode: 'sequential',
		graphOptimizationLevel: 'all',
		intraOpNumThreads: threads,
		interOpNumThreads: 1
	});
const feeds = {};
for (const name of session.inputNames)
{
	const data = readFloats(join(folder, `${name}.f32`));
	const size = Math.sqrt(data.length / 3);
	feeds[name] = new ort.Tensor('float32', data, [1, 3, size, size]);
}

const error = mapError((await session.run(feeds)).map.data,
	readFloats(join(folder, 'map.f32')));
if (!(error <= MAP_TOLERANCE))
{
	console.error(`onnxruntime: the map differs from map.f32 by ${error} ` +
		`(allowed ${MAP_TOLERANCE}); nothing was timed`);
	process.exit(1);
}

async function seconds()
{
	const start = process.hrtime.bigint();
	await session.run(feeds);
	return Number(process.hrtime.bigint() - start) / 1e9;
}

const about = {
	peer: 'onnxruntime',
	version: require('onnxruntime-node/package.json').version,
	threads,
	size: feeds[session.inputNames[0]].dims[3],
	n_aux: session.inputNames.length - 1,
	mode: 'session',
	map_error: error
};

for (let i = 0; i < Number(values.warmup); i++)
	await seconds();
if (values.serve)
{
	say({ ready: ['session'], ...about });
	for await (const line of createInterface({ input: process.stdin }))
		say({
			peer: 'onnxruntime', mode: line.trim(), seconds: await seconds()
		});
}
else
{
	const taken = [];
	for (let i = 0; i < Number(values.runs); i++)
		taken.push(await seconds());
	say({ ...about, seconds: taken, median: median(taken) });
}
