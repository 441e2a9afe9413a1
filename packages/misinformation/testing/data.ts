import { dataFolder } from "@espalier/testing"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import type { Item } from "../item.ts"
import { readItem } from "../read_records.ts"

/** The lines of one of the challenge's files. */
export const dataLines = (name: "FMD_train" | "FMD_val"): ReadonlyArray<string> =>
  readFileSync(`${dataFolder}/misinformation/${name}.json`, "utf8").trim().split("\n")

/** All 550 items. */
export const dataItems = (): ReadonlyArray<Item> =>
  (["FMD_train", "FMD_val"] as const).flatMap((name) =>
    dataLines(name).map((text, i) => Result.getOrThrow(readItem(name, { line: i + 1, text }))),
  )
