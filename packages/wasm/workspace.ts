import type { Pool } from "./memory.ts"

/** What one program needs besides its buffers. */
export interface Needs {
  readonly arena: number
  readonly scratch: number
}

/**
 * Memory that programs take turns with: the arena of temporaries and the kernels' scratch space.
 * Programs never run at the same time, so the largest need of each is enough for all.
 */
export class Workspace {
  readonly #pool: Pool
  readonly #needs = new Set<Needs>()
  #current: Needs = { arena: 0, scratch: 0 }
  arena = 0
  scratch = 0

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Makes room for one more program; answers false, with nothing changed, where there is none. */
  add(needs: Needs): boolean {
    this.#needs.add(needs)
    if (this.#fit()) return true
    this.#needs.delete(needs)
    this.#fit()
    return false
  }

  remove(needs: Needs): void {
    this.#needs.delete(needs)
    this.#fit()
  }

  #fit(): boolean {
    const all = [...this.#needs]
    const arena = Math.max(0, ...all.map((needs) => needs.arena))
    const scratch = Math.max(0, ...all.map((needs) => needs.scratch))
    const fits =
      (arena === this.#current.arena || this.#place("arena", arena)) &&
      (scratch === this.#current.scratch || this.#place("scratch", scratch))
    return fits
  }

  #place(part: "arena" | "scratch", bytes: number): boolean {
    if (this[part] !== 0) this.#pool.free(this[part])
    const address = bytes === 0 ? 0 : this.#pool.allocate(bytes)
    this[part] = address ?? 0
    this.#current = { ...this.#current, [part]: address === undefined ? 0 : bytes }
    return address !== undefined
  }
}
