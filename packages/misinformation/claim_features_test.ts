import { assert, describe, it } from "@effect/vitest"
import {
  claimFeatures,
  type FeatureSource,
  featureWidth,
  rawFeatures,
  scalesOf,
} from "./claim_features.ts"
import { segmentsOf } from "./segments.ts"

const rawOf = (claim: string, context: string, source: FeatureSource) =>
  rawFeatures(segmentsOf(context), claim, new Map(), source)

const [claim, other] = ["Did the mayor ban 12 dogs?", "A whale is not a fish."]
const [context, otherContext] = [
  "The mayor never banned dogs. It is a hoax. There is no evidence of 12 dogs.",
  "Records confirm it. However, it remains unclear why.",
]

describe("rawFeatures", () => {
  it("does not see what it must not look at", () => {
    assert.deepEqual(rawOf(claim, context, "context"), rawOf(other, context, "context"))
    assert.deepEqual(rawOf(claim, context, "claim"), rawOf(claim, otherContext, "claim"))
    const both = rawOf(claim, context, "claim and context")
    assert.notDeepEqual(both, rawOf(other, context, "claim and context"))
    assert.notDeepEqual(both, rawOf(claim, otherContext, "claim and context"))
  })
})

describe("claimFeatures", () => {
  it("gives increasing places within the width, and blocks of unit length", () => {
    const raw = [rawOf(claim, context, "context"), rawOf(other, otherContext, "context")]
    const { places, values } = claimFeatures(raw[0], scalesOf(raw))
    assert.deepEqual(
      places,
      [...new Set(places)].toSorted((a, b) => a - b),
    )
    assert.isTrue(places.every((place) => place >= 0 && place < featureWidth))
    const body = values.filter((_, i) => places[i] >= 2048 && places[i] < 2048 + 8192)
    assert.closeTo(Math.hypot(...body), 1, 1e-9)
  })

  it("stays small for cues that training had in no item", () => {
    const plain = rawOf(claim, "Dogs bark. Cats do so too.", "context")
    const { values } = claimFeatures(rawOf(claim, context, "context"), scalesOf([plain, plain]))
    assert.isBelow(Math.max(...values), 15)
  })
})
