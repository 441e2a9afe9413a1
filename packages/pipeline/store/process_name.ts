import { readlinkSync } from "node:fs"
import { hostname } from "node:os"
import { sha256 } from "../sha256.ts"

/** Process numbers mean something within one name space only: containers may share a host's name. */
const processSpace = (): string => {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return ""
  }
}

/** Stands for this machine, or this container of it, in names. */
export const host: string = sha256(hostname() + processSpace()).slice(0, 12)

/** A name that nobody else takes and that tells who took it. */
export const uniqueName = (): string => `${host}.${process.pid}.${crypto.randomUUID()}`

/** Whether a process of this machine runs; one of another user does. */
export const isProcessRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const day = 24 * 60 * 60 * 1000

/**
 * Whether the process that took a name still runs. One of this machine is asked for; one elsewhere
 * counts as running while what it wrote is younger than `silence`. Process numbers come again, so
 * nothing is believed for more than a day. All times are in milliseconds.
 */
export const isOwnerAlive = (name: string, age: number, silence: number): boolean => {
  const [owner, pid] = name.split(".")
  return owner === host ? age < day && isProcessRunning(Number(pid)) : age < silence
}
