// Runs before `npm start`, `npm run chat` and `npm test`, on whatever Node is installed: makes sure that the
// dependencies are there and match package-lock.json, the pinned Node 24 among them. The script that follows
// finds that Node first on its PATH. Plain CommonJS without newer syntax, so that an old Node can run it far
// enough to say what is missing.
//
// (`npm start` and `npm run chat` say `exec node …`: npm passes SIGTERM and SIGINT on to the shell that it started,
// and a shell which isn't replaced by Node dies of them and leaves the relay running.)
'use strict'

const childProcess = require('node:child_process')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const OLDEST_NODE = 20
const OLDEST_NPM = 9 // comes with Node 20.0; earlier ones misread this lockfile or its workspaces
const root = path.join(__dirname, '..')
const modules = path.join(root, 'node_modules')
const stampFile = path.join(modules, '.confab-lockfile-hash')

function stop(lines) {
  console.error(['', 'Confab cannot set itself up.', ''].concat(lines, '').join('\n'))
  process.exit(1)
}

function major(version) {
  return Number(String(version).replace(/^v/, '').split('.')[0])
}

function checkInstalledTools() {
  if (major(process.version) < OLDEST_NODE) {
    stop([
      `Node.js ${OLDEST_NODE} or later is needed; this is ${process.version}.`,
      'Install a current one from https://nodejs.org (24 LTS is what Confab runs on), then try again.',
    ])
  }
  const agent = /npm\/(\S+)/.exec(process.env.npm_config_user_agent || '')
  if (agent && major(agent[1]) < OLDEST_NPM) {
    stop([
      `npm ${OLDEST_NPM} or later is needed; this is ${agent[1]}.`,
      'Update it with `npm install --global npm`, then try again.',
    ])
  }
}

function hashOfLockfile() {
  const lockfile = path.join(root, 'package-lock.json')
  if (!fs.existsSync(lockfile)) stop(['package-lock.json is missing: is this a complete checkout?'])
  return crypto.createHash('sha256').update(fs.readFileSync(lockfile)).digest('hex')
}

function isInstalled(hash) {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === hash
}

function npm(args) {
  // npm_execpath is the npm that is running us, which isn't always the one that is on the PATH.
  const own = process.env.npm_execpath
  const command = own ? process.execPath : 'npm'
  const all = own ? [own].concat(args) : args
  return childProcess.spawnSync(command, all, {
    cwd: root,
    // npm's own output goes to stderr, so that what follows has stdout to itself.
    stdio: ['ignore', 2, 'inherit'],
    shell: !own && process.platform === 'win32',
  })
}

function install(hash) {
  const fresh = !fs.existsSync(modules)
  console.error(
    fresh
      ? 'confab: first run, installing the dependencies (about a minute) …'
      : 'confab: package-lock.json has changed, updating the dependencies …',
  )
  const started = Date.now()
  // `npm ci` empties node_modules first, under the feet of whatever runs from it; so it is for first runs.
  const result = npm(fresh ? ['ci', '--loglevel=error'] : ['install', '--no-save', '--loglevel=error'])
  if (result.error || result.status !== 0) {
    stop([
      'npm could not install the dependencies; its messages are above.',
      result.error ? String(result.error) : 'Is the npm registry reachable from here?',
    ])
  }
  requirePinnedNode()
  fs.writeFileSync(stampFile, hash)
  console.error(`confab: dependencies installed in ${Math.round((Date.now() - started) / 1000)} s.`)
}

function pinnedNodeVersion() {
  const file = path.join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const result = childProcess.spawnSync(file, ['--version'], { encoding: 'utf8' })
  return result.status === 0 ? result.stdout.trim() : undefined
}

function requirePinnedNode() {
  const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).devDependencies.node
  if (pinnedNodeVersion() === `v${wanted}`) return
  // The `node` package brings its binary by an install script, which npm may have been told not to run.
  npm(['rebuild', 'node', '--ignore-scripts=false'])
  const found = pinnedNodeVersion()
  if (found === `v${wanted}`) return
  stop([
    'Node ' +
      wanted +
      ' should now be in node_modules/node, but ' +
      (found || 'nothing that runs') +
      ' is there.',
    'Either install scripts are switched off (`npm config get ignore-scripts`), or the npm package `node`',
    `has no binary for this platform (${process.platform}, ${process.arch}).`,
  ])
}

checkInstalledTools()
const hash = hashOfLockfile()
if (!isInstalled(hash)) install(hash)
