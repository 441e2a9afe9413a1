import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { makeFolder } from "../testing/espalier.ts"
import { findCommit, findLockfile, variableNames } from "./provenance.ts"

const inFolder = (test: (place: ReturnType<typeof makeFolder>) => Promise<void>) => async () => {
  const place = makeFolder()
  try {
    await test(place)
  } finally {
    place.remove()
  }
}

const hasGit = (() => {
  try {
    return execFileSync("git", ["--version"]).length > 0
  } catch {
    return false
  }
})()

/** Runs git in a folder as somebody. */
const git = (folder: string, ...args: ReadonlyArray<string>) => {
  const who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
  execFileSync("git", [...who, ...args], { cwd: folder, stdio: "pipe" })
}

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Readonly<Record<string, never>>

/** All files below a folder, as bytes. */
const contentsBelow = (folder: string): ReadonlyArray<readonly [string, Buffer]> =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const file = join(entry.parentPath, entry.name)
    return entry.isFile() ? [[file, readFileSync(file)] as const] : []
  })

describe("findLockfile", () => {
  it(
    "is the nearest one",
    inFolder(async ({ at, write }) => {
      mkdirSync(at("inner/most"), { recursive: true })
      write("package-lock.json", "{}")
      assert.strictEqual(findLockfile(at("inner/most"))?.name, "package-lock.json")
      write("inner/pnpm-lock.yaml", "lockfileVersion: 9")
      const found = findLockfile(at("inner/most"))
      assert.strictEqual(found?.name, "pnpm-lock.yaml")
      assert.match(found?.sha256 ?? "", /^[0-9a-f]{64}$/)
    }),
  )
})

describe.skipIf(!hasGit)("findCommit (needs git)", () => {
  it(
    "is the commit, and a hash of what differs from it",
    inFolder(async ({ at, write }) => {
      assert.isUndefined(await findCommit(at()))
      git(at(), "init", "--quiet")
      assert.isUndefined(await findCommit(at()), "nothing is committed yet")
      write("p.yaml", "name: p\n")
      git(at(), "add", ".")
      git(at(), "commit", "--quiet", "--message", "First")
      const clean = await findCommit(at())
      assert.match(clean?.commit ?? "", /^[0-9a-f]{40}/)
      assert.strictEqual(clean?.dirty, false)
      write("p.yaml", "name: q\n")
      const edited = await findCommit(at())
      assert.strictEqual(edited?.dirty, true)
      write("new.yaml", "")
      const added = await findCommit(at())
      assert.notStrictEqual(added?.sha256, edited?.sha256)
      assert.deepStrictEqual(await findCommit(at()), added)
    }),
  )
})

describe("variableNames", () => {
  it("are those that may have been read", () => {
    const names = variableNames({ PATH: "/bin", OPENAI_API_KEY: "k", ESPALIER_DATA: "d" })
    assert.deepStrictEqual(names, ["ESPALIER_DATA", "OPENAI_API_KEY"])
  })
})

describe("the files of a run", () => {
  it(
    "say where it took place, and no secrets",
    inFolder(async ({ at, write, espalier }) => {
      const secrets = ["sk-planted-secret", "planted-password", "planted-token"]
      write("p.yaml", "name: p\nsteps: { n: { use: test/count, end: 3 } }\n")
      if (hasGit) {
        git(at(), "init", "--quiet")
        const remote = `https://somebody:${secrets[1]}@example.org/clone.git`
        git(at(), "remote", "add", "origin", remote)
        git(at(), "add", "p.yaml")
        git(at(), "commit", "--quiet", "--message", "First")
      }
      const env = { OPENAI_API_KEY: secrets[0], ESPALIER_TOKEN: secrets[2], OTHER: secrets[2] }
      const args = ["p.yaml", "--store", at("store"), "--out", at("out")]
      const { code, out, error } = await espalier(["run", ...args], { env })
      assert.strictEqual(code, 0, error)
      const files = [...contentsBelow(at("store")), ...contentsBelow(at("out"))]
      assert.isAbove(files.length, 5)
      for (const secret of secrets) {
        for (const [file, bytes] of files) assert.isFalse(bytes.includes(secret), file)
        assert.notInclude(out + error, secret)
      }
      const { environment, device, packages, code: by, steps } = manifestOf(at("out"))
      assert.deepStrictEqual(Object.keys(environment).toSorted(), [
        ...(hasGit ? ["git"] : []),
        "lockfile",
        "node",
        "platform",
        "variables",
      ])
      const { variables } = environment as { variables: ReadonlyArray<string> }
      assert.includeMembers([...variables], ["ESPALIER_TOKEN", "OPENAI_API_KEY"])
      assert.notInclude(variables, "OTHER")
      assert.deepInclude(device, { fingerprint: "wasm" })
      assert.hasAnyKeys(packages, ["effect"])
      assert.strictEqual(by, "modules")
      const { n } = steps as Record<string, { key: string; code: object; seconds: number }>
      assert.match(n.key, /^[0-9a-f]{64}$/)
      assert.hasAllKeys(n.code, ["graph", "packages"])
    }),
  )
})
