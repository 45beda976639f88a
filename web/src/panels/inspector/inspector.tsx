/** The selected block, edge or module: what it is, what it computes, and everything that can be done to it. */

import { useEffect, useState } from 'preact/hooks'
import type { BlockInfo, Description, Shape } from '../../protocol'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { NumberField } from '../forms/number'
import { shapeText, whole } from '../numbers'
import { useSlice } from '../slice'
import { FanChart, Histogram } from './distribution'
import { EdgeInspector } from './edge'
import { Maps, type Marked, type Tool } from './maps'
import { Overview } from './overview'
import { Parameter } from './parameters'
import { Section } from './section'
import { BlockSettings } from './settings'
import { Structure, Wiring } from './structure'
import { inForceOn } from './targets'
import { asBlock, Clamp, Deeds, InForce, MarkedPart, Noise, targetOf, ToolChoice } from './touch'

export function Inspector() {
  const store = useStore()
  const selection = store.selection.value
  const description = store.description.value
  if (!store.id.value) return <Blank title="No session is shown" />
  if (!description) {
    const isWaiting = store.connection.value === 'connecting' || store.connection.value === 'open'
    const isPrepared = store.status.value?.choice !== null
    return <Blank title={isWaiting ? (isPrepared ? 'Asking for the net' : 'The run is being prepared') : 'The net is not known'} isBusy={isWaiting} />
  }
  if (!selection) return <Overview description={description} />
  if (selection.kind === 'module') return <Module description={description} path={selection.path} />
  if (selection.kind === 'edge') {
    const edge = description.edges.find((one) => one.from === selection.from && one.to === selection.to && one.port === selection.port)
    return edge ? <EdgeInspector key={`${edge.from} ${edge.to}`} description={description} edge={edge} /> : <Gone name={`${selection.from}->${selection.to}`} />
  }
  const input = description.inputs.find((one) => one.name === selection.path)
  const block = store.blocks.value.get(selection.path) ?? (input && asBlock(input))
  return block ? <Block key={block.path} description={description} block={block} isInput={input !== undefined} /> : <Gone name={selection.path} />
}

function Gone({ name }: { name: string }) {
  return (
    <Blank title={`${name} is not in the net`}>It was removed, or the net is another one now.</Blank>
  )
}

/** The shape of a block's first output, without the batch. */
export function firstShape(shape: BlockInfo['shape']): Shape | null {
  if (!shape) return null
  return Array.isArray(shape[0]) ? (shape[0] as Shape) : (shape as Shape)
}

function Block({ description, block, isInput }: { description: Description; block: BlockInfo; isInput: boolean }) {
  const store = useStore()
  const [tool, setTool] = useState<Tool>('look')
  const [marked, setMarked] = useState<Marked | null>(null)
  const all = useSlice(() => inForceOn(store.status.value?.interventions, block.path))
  const list = all.filter((one) => one.kind !== 'hold')
  const held = useSlice(() => (store.status.value?.interventions ?? []).filter((one) => one.kind === 'hold').map((one) => one.target))
  const isHeld = block.parameters.length > 0 && block.parameters.every((one) => held.some((target) => covers(target, one.address)))
  const shape = firstShape(block.shape)
  useEffect(() => setMarked(null), [tool])
  const noise = list.find((one) => one.kind === 'noise')
  const part = marked && shape && !marked.brush ? targetOf(block.path, shape, marked, false).target.slice(block.path.length) : ''
  return (
    <div class="inspector">
      <Head block={block} isInput={isInput} />
      {!isInput && <Deeds block={block} list={list} isHeld={isHeld} />}
      <InForce list={list} />
      <Section id="output" title="Output" note={shapeText(block.shape)}>
        <Output path={block.path} isPicture={isPicture(block, isInput)} shape={shape} tool={tool} setTool={setTool} marked={marked} setMarked={setMarked} />
      </Section>
      <BlockSettings path={block.path} settings={block.settings} />
      {block.parameters.map((parameter) => (
        <Parameter key={parameter.address} of={parameter} held={held.some((target) => covers(target, parameter.address))} />
      ))}
      <Clamp path={block.path} shape={shape} at={part || null} isClamped={list.some((one) => one.kind === 'clamp')} />
      <Noise path={block.path} std={noise ? Number(noise.std ?? noise.value ?? 0) : null} />
      <Wiring description={description} path={block.path} />
      {!isInput && <Structure description={description} block={block} />}
    </div>
  )
}

/** Whether it sends what is seen, and not what is made of it: an input, or a block that only hands a picture on. */
function isPicture(block: BlockInfo, isInput: boolean): boolean {
  const shape = firstShape(block.shape)
  return isInput || (block.type === 'Identity' && shape?.length === 3 && shape[0] === 1)
}

/** Whether a pattern names an address: `*` within a part, `**` over parts, or the block that it belongs to. */
export function covers(pattern: string, address: string): boolean {
  if (address === pattern || address.startsWith(`${pattern}/`)) return true
  const source = pattern
    .split('**')
    .map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*'))
    .join('.*')
  return new RegExp(`^${source}$`).test(address)
}

function Head({ block, isInput }: { block: BlockInfo; isInput: boolean }) {
  const count = block.parameters.reduce((sum, one) => sum + one.count, 0)
  const facts = [
    block.how,
    block.process === null || block.process === undefined ? null : `process ${[block.process].flat().join(', ')}`,
    block.exclude.length ? `not in ${block.exclude.join(', ')}` : null,
    block.tags.length ? block.tags.join(', ') : null,
  ].filter((fact) => fact !== null)
  return (
    <header class="inspected">
      <h2>{block.path}</h2>
      <p>
        <b>{isInput ? 'input' : block.type}</b>
        <span class="note">
          {' '}
          {shapeText(block.shape)} {[block.dtype].flat().filter(Boolean).join(', ')}
          {count ? `, ${whole(count)} parameters` : ''}
        </span>
      </p>
      {facts.length > 0 && <p class="note">{facts.join(' · ')}</p>}
    </header>
  )
}

interface OutputProps {
  path: string
  isPicture: boolean
  shape: Shape | null
  tool: Tool
  setTool(tool: Tool): void
  marked: Marked | null
  setMarked(marked: Marked | null): void
}

function Output({ path, isPicture, shape, tool, setTool, marked, setMarked }: OutputProps) {
  const store = useStore()
  const address = `net/${path}/output`
  const count = shape?.reduce((product, size) => product * size, 1) ?? 1
  const stream = store.stream.value
  if (count === 1) {
    return (
      <>
        <Histogram address={address} label="Output over the streams" />
        <FanChart address={address} label="Output" />
      </>
    )
  }
  return (
    <>
      <div class="in-row">
        <ToolChoice tool={tool} onChange={setTool} />
        <NumberField label="Stream" isShort whole min={0} value={stream} onCommit={(next) => (store.stream.value = next)} />
      </div>
      {shape && (
        <Maps
          key={`${address} ${stream}`}
          address={address}
          label={`Output of ${path}`}
          shape={shape}
          isPicture={isPicture}
          tool={tool}
          marked={marked}
          onMark={setMarked}
        />
      )}
      {marked && shape && <MarkedPart path={path} shape={shape} marked={marked} onDone={() => setMarked(null)} />}
      <Histogram address={address} label="Output" />
      <FanChart address={address} label="Output" />
    </>
  )
}

function Module({ description, path }: { description: Description; path: string }) {
  const store = useStore()
  const inside = description.blocks.filter((block) => block.module === path || block.path.startsWith(`${path}/`))
  const count = inside.reduce((sum, block) => sum + block.parameters.reduce((own, one) => own + one.count, 0), 0)
  return (
    <div class="inspector">
      <header class="inspected">
        <h2>{path}</h2>
        <p class="note">
          module of {whole(inside.length)} blocks, {whole(count)} parameters
        </p>
      </header>
      <Section id="inside" title="Blocks">
        <ul class="wiring">
          {inside.slice(0, 200).map((block) => (
            <li key={block.path}>
              <button type="button" class="link" onClick={() => (store.selection.value = { kind: 'block', path: block.path })}>
                {block.path.startsWith(`${path}/`) ? block.path.slice(path.length + 1) : block.path}
              </button>
              <span class="note">{block.type}</span>
            </li>
          ))}
        </ul>
        {inside.length > 200 && <p class="note">and {whole(inside.length - 200)} more; find them by name in the outline</p>}
      </Section>
    </div>
  )
}
