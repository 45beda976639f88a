/** What the server says and hears: the JSON of `/api` and of the socket. Binary records are in `wire.ts`. */

export interface Fault {
  address: string
  rule: string
  value?: unknown
  file?: string | null
  line?: number | null
  column?: number | null
  hint?: string | null
}

export type Shape = number[]

export interface InputInfo {
  name: string
  shape: Shape | null
  dtype: string
}

export interface ParameterInfo {
  address: string
  shape: Shape
  count: number
  trainable: boolean
}

/** A tensor that a block keeps and that is not learned, such as a running mean. */
export interface BufferInfo {
  address: string
  shape: Shape
  count: number
}

export interface SettingInfo {
  address: string
  value: unknown
}

export interface BlockInfo {
  path: string
  type: string
  shape: Shape | Shape[] | null
  dtype: string | string[] | null
  /** The nested net, or module of a document, that the block lives in. */
  module: string | null
  tags: string[]
  process: number | number[] | null
  /** How several processes share it: `batch`, `feature`, `space`, `none`, `location`; null in one process. */
  partition?: string | null
  /** How many tensors it sends. */
  sends?: number
  how: string | null
  exclude: string[]
  parameters: ParameterInfo[]
  buffers?: BufferInfo[]
  settings: SettingInfo[]
}

export interface EdgeInfo {
  from: string
  to: string
  port: number
  delay: number
  /** The address of the parameter that weighs what passes here, or null. */
  weight: string | null
  output?: number | null
}

export interface RuleInfo {
  name: string
  active: boolean
  rate: number | Record<string, number> | null
  type?: string
  /** Whether a command set the rate, so that it does not follow its curve. */
  held?: boolean | Record<string, boolean>
}

export interface Description {
  name: string
  revision: number
  inputs: InputInfo[]
  blocks: BlockInfo[]
  edges: EdgeInfo[]
  outputs: string[]
  rules: RuleInfo[]
  rollout: Record<string, unknown>
}

export interface Clock {
  frame: number
  step: number
  epoch: number
  examples: number
}

export type ControlState = 'idle' | 'running' | 'paused' | 'stopping'

/** Units of one example: its shape, and truth values row by row, eight in a byte, the first one highest. */
export interface Mask {
  shape: Shape
  bits: string
}

/** One thing in force: `clamp`, `noise` or `lesion`. */
export interface Intervention {
  kind: string
  target: string
  /** The block that it acts on, or the edge. */
  block?: string
  edge?: { from: string; to: string; port: number }
  /** How many of how many units. */
  units?: number
  of?: number
  mask?: Mask
  value?: unknown
  [more: string]: unknown
}

export interface Status {
  id: string
  state: ControlState
  clock: Clock
  /** Frames per second asked for; null for as fast as it can. */
  speed: number | null
  frames_per_second: number | null
  interventions: Intervention[]
  rules: RuleInfo[]
  choice?: unknown
  revision: number
  /** Why the run is held, where a frame has failed. */
  held?: string | null
}

export interface HistoryEntry {
  number: number
  frame: number
  step: number
  text: string
  command: { name: string; arguments: Record<string, unknown> }
  undoable: boolean
  undone: boolean
  origin: string
  /** Seconds since 1970. */
  time?: number
}

export interface DeviceReading {
  name: string
  /** Share of its time that is used. */
  used: number | null
  /** Bytes in use. */
  memory: number
  memory_total: number
}

export interface SystemReading {
  /** Share of all cores in use. */
  cpu: number | null
  /** Cores that the run's process uses. */
  process_cpu?: number | null
  cores?: number | null
  /** Bytes that the run's process holds. */
  memory: number | null
  memory_total?: number | null
  memory_free?: number | null
  gpu?: DeviceReading[] | null
}

export type MetricsRow = { step: number } & Record<string, number>

export interface RunInfo {
  id: string
  experiment: string
  number?: number
  directory?: string
  status: string
  step?: number
  epoch?: number
  metrics?: Record<string, number | string>
  error?: string | null
  /** Seconds since 1970. */
  started?: number | null
  updated?: number | null
  /** Whether its session can be watched and changed. */
  live?: boolean
}

export interface CommandParameter {
  name: string
  kind: 'address' | 'block' | 'edge' | 'number' | 'text' | 'value' | 'rule' | 'count' | 'pattern'
  required: boolean
  default: unknown
  doc: string
}

export interface CommandInfo {
  name: string
  summary: string
  parameters: CommandParameter[]
}

export interface AddressInfo {
  address: string
  kind: string
  shape: Shape | null
  dtype: string | null
  writable: boolean
  value?: unknown
}

export type ReductionName = 'thumbnail' | 'histogram' | 'percentiles' | 'distribution' | 'scalar' | 'argmax' | 'whole'

export type ClientMessage =
  | { type: 'watch'; id: number; address: string; reduction: ReductionName; rate: number; stream: number; settings: object }
  | { type: 'unwatch'; id: number }
  | { type: 'command'; id: number; text: string }
  | { type: 'ping'; id: number }

export type ServerMessage =
  | { type: 'hello'; session: string; revision: number }
  | ({ type: 'status' } & Partial<Status>)
  | { type: 'result'; id: number; result?: unknown; faults?: Fault[] }
  | ({ type: 'entry' } & HistoryEntry)
  | { type: 'metrics'; rows: MetricsRow[]; reset?: boolean }
  | ({ type: 'system' } & SystemReading)
  | { type: 'refused'; id: number | null; faults: Fault[] }
  | { type: 'ended'; reason: string }
  | { type: 'pong'; id: number }

/** A request or command that the server refused, with every fault it found. */
export class FaultError extends Error {
  constructor(
    readonly faults: Fault[],
    /** The answer's, where it came by HTTP. */
    readonly status: number | null = null,
  ) {
    super(faults.map(faultText).join('\n') || 'the server refused without a reason')
    this.name = 'FaultError'
  }
}

export function faultText(fault: Fault): string {
  const value = fault.value === undefined || fault.value === null ? '' : ` (got ${JSON.stringify(fault.value)})`
  const at = fault.address ? `${fault.address}: ` : ''
  return `${at}${fault.rule}${value}${fault.hint ? `; ${fault.hint}` : ''}`
}
