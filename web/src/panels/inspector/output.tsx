/** What a block sends, or what is kept of it for later frames: as maps, as a histogram, and over time. */

import { useState } from 'preact/hooks'
import { blockOf } from '../../net/graph'
import type { BlockInfo, Description, Shape } from '../../protocol'
import { useStore } from '../context'
import { useAddresses } from '../forms/addresses'
import { Choice } from '../forms/choice'
import { NumberField } from '../forms/number'
import { FanChart, Histogram } from './distribution'
import { Maps, type Marked, type Tool } from './maps'
import { MarkedPart, ToolChoice } from './touch'

interface Props {
  description: Description
  block: BlockInfo
  isPicture: boolean
  shape: Shape | null
  tool: Tool
  setTool(tool: Tool): void
  marked: Marked | null
  setMarked(marked: Marked | null): void
}

type What = 'output' | 'state'

const WHATS = [
  { value: 'output', label: 'Sent', title: 'What it sends in this frame' },
  { value: 'state', label: 'State', title: 'What later frames read of it' },
] as const

export function Output({ description, block, isPicture, shape, tool, setTool, marked, setMarked }: Props) {
  const store = useStore()
  const [what, setWhat] = useState<What>('output')
  const [number, setNumber] = useState(0)
  const { path, sends = 1 } = block
  const others = useAddresses(sends > 1 ? `net/${path}/*` : null)
  const isKept = description.edges.some((edge) => edge.delay > 0 && blockOf(edge.from) === path)
  const address = `net/${path}/${isKept ? what : 'output'}${sends > 1 ? `[${number}]` : ''}`
  const own = number === 0 ? shape : (others?.find((one) => one.address === address)?.shape ?? null)
  const label = what === 'state' && isKept ? 'State' : 'Output'
  const count = own?.reduce((product, size) => product * size, 1) ?? 1
  const isScalar = count === 1
  const stream = store.stream.value
  const isChosen = isKept || sends > 1
  const streamField = !isScalar && <NumberField label="Stream" isShort whole min={0} value={stream} onCommit={(next) => (store.stream.value = next)} />
  return (
    <>
      {isChosen && (
        <div class="in-row">
          {isKept && <Choice label="Sent or kept" options={WHATS} value={what} onChange={setWhat} />}
          {sends > 1 && <NumberField label={`Tensor, of ${sends}`} isShort whole min={0} max={sends - 1} value={number} onCommit={setNumber} />}
          {streamField}
        </div>
      )}
      {!isScalar && (
        <div class="in-row">
          <ToolChoice tool={tool} onChange={setTool} />
          {!isChosen && streamField}
        </div>
      )}
      {!isScalar && own && (
        <Maps
          key={`${address} ${stream}`}
          address={address}
          label={`${label} of ${path}`}
          shape={own}
          isPicture={isPicture}
          tool={number === 0 ? tool : 'look'}
          marked={marked}
          onMark={setMarked}
        />
      )}
      {marked && own && number === 0 && <MarkedPart path={path} shape={own} marked={marked} onDone={() => setMarked(null)} />}
      <Histogram key={`h ${address}`} address={address} label={isScalar ? `${label} over the streams` : label} />
      <FanChart key={`f ${address}`} address={address} label={label} />
    </>
  )
}
