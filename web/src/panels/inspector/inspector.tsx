/** The selected block, edge or module: what it is, what it computes, and everything that can be done to it. */

import { useEffect, useState } from 'preact/hooks'
import type { BlockInfo, Description, Shape } from '../../protocol'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { shapeText, whole } from '../numbers'
import { useSlice } from '../slice'
import { Buffers } from './buffers'
import { Clamp, Noise } from './clamp'
import { EdgeInspector } from './edge'
import { Gradients } from './gradients'
import type { Marked, Tool } from './maps'
import { Module } from './module'
import { Output } from './output'
import { Overview } from './overview'
import { Parameter } from './parameters'
import { Section } from './section'
import { BlockSettings } from './settings'
import { Structure, Wiring } from './structure'
import { covers, heldOf, inForceOn } from './targets'
import { asBlock, Deeds, InForce, targetOf } from './touch'

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
  const held = useSlice(() => heldOf(store.status.value?.interventions))
  const isHeld = block.parameters.length > 0 && block.parameters.every((one) => held.some((target) => covers(target, one.address)))
  const shape = firstShape(block.shape)
  useEffect(() => setMarked(null), [tool])
  const noise = list.find((one) => one.kind === 'noise')
  const clamp = list.find((one) => one.kind === 'clamp')
  const part = marked && shape && !marked.brush ? targetOf(block.path, shape, marked, false).target.slice(block.path.length) : ''
  return (
    <div class="inspector">
      <Head block={block} isInput={isInput} />
      {!isInput && <Deeds block={block} list={list} isHeld={isHeld} />}
      <InForce list={list} />
      <Section id="output" title="Output" note={shapeText(block.shape)}>
        <Output description={description} block={block} isPicture={isPicture(block, isInput)} shape={shape} tool={tool} setTool={setTool} marked={marked} setMarked={setMarked} />
      </Section>
      <BlockSettings path={block.path} settings={block.settings} />
      {block.parameters.map((parameter) => (
        <Parameter key={parameter.address} of={parameter} held={held.some((target) => covers(target, parameter.address))} />
      ))}
      <Gradients parameters={block.parameters} />
      <Buffers buffers={block.buffers ?? []} />
      <Clamp path={block.path} shape={shape} at={part || null} clamp={clamp ?? null} />
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

/** How several processes share a block. */
const SHARED: Record<string, string> = {
  batch: 'every process, some examples each',
  feature: 'every process, some features each',
  space: 'every process, some rows each',
  none: 'every process, all of it',
}

function Head({ block, isInput }: { block: BlockInfo; isInput: boolean }) {
  const count = block.parameters.reduce((sum, one) => sum + one.count, 0)
  const facts = [
    block.how,
    block.process === null || block.process === undefined ? (SHARED[block.partition ?? ''] ?? null) : `process ${[block.process].flat().join(', ')}`,
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
