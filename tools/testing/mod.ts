export {
  dataFolder,
  hasData,
  needsData,
  readData,
  readDocuments,
  withoutData,
} from "./data_folder.ts"
export { startModelServer } from "./model_server.ts"
export {
  correlatedTokens,
  differenceOf,
  draw,
  makeNumbers,
  type Rows,
  rowsOf,
  separateTokens,
} from "./numbers.ts"
