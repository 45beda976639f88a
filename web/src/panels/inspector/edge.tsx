/** A selected edge: where it leads, its delay and weight, and what can be done to it. */

import type { Description, EdgeInfo } from '../../protocol'
import { command, word } from '../commands'
import { useStore } from '../context'
import { FaultList, useTries } from '../forms/tries'
import { useSlice } from '../slice'
import { Parameter } from './parameters'
import { covers, heldOf, inForceOn } from './targets'
import { InForce } from './touch'

/** How commands call an edge. */
export function edgeName(edge: Pick<EdgeInfo, 'from' | 'to'>): string {
  return `${edge.from}->${edge.to}`
}

export function EdgeInspector({ description, edge }: { description: Description; edge: EdgeInfo }) {
  const store = useStore()
  const name = edgeName(edge)
  const { attempt, faults, isBusy } = useTries()
  const list = useSlice(() => inForceOn(store.status.value?.interventions, name))
  const held = useSlice(() => heldOf(store.status.value?.interventions))
  const isLesioned = list.some((one) => one.kind === 'lesion')
  const parameter = edge.weight === null ? undefined : description.blocks.flatMap((block) => block.parameters).find((one) => one.address === edge.weight)
  const select = (path: string) => (store.selection.value = { kind: 'block', path })
  return (
    <div class="inspector">
      <header class="inspected">
        <h2>
          <button type="button" class="link" onClick={() => select(edge.from)}>
            {edge.from}
          </button>
          <span aria-label="to"> → </span>
          <button type="button" class="link" onClick={() => select(edge.to)}>
            {edge.to}
          </button>
        </h2>
        <p class="note">
          edge into input {edge.port}, {edge.delay ? `${edge.delay} frame${edge.delay > 1 ? 's' : ''} later` : 'in the same frame'}
        </p>
        <div class="in-row acts">
          <button type="button" class="button" onClick={() => void store.perform(command(isLesioned ? 'restore' : 'lesion', [word(name)]))}>
            {isLesioned ? 'Restore' : 'Lesion'}
          </button>
          <button type="button" class="button danger" disabled={isBusy} onClick={() => void attempt(command('disconnect', [word(name)]))}>
            Disconnect
          </button>
        </div>
        <FaultList faults={faults} />
        <InForce list={list} />
      </header>
      {parameter && <Parameter of={parameter} held={held.some((target) => covers(target, parameter.address))} title="Weight" />}
    </div>
  )
}
