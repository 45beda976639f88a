/** The net as a whole, where nothing is selected: what it is made of, what is in force anywhere, and what can be done. */

import { useMemo } from 'preact/hooks'
import type { BlockInfo, Description } from '../../protocol'
import { tabOf } from '../../shell/region'
import { keyText, action } from '../bar/actions'
import { useStore } from '../context'
import { brief, whole } from '../numbers'
import { useSlice } from '../slice'
import { Section } from './section'
import { InForce } from './touch'

const LARGEST = 8

export function Overview({ description }: { description: Description }) {
  const store = useStore()
  const list = useSlice(() => store.status.value?.interventions ?? [])
  const { blocks, edges, inputs } = description
  const sizes = useMemo(() => largest(blocks), [blocks])
  const count = useMemo(() => blocks.reduce((sum, block) => sum + parametersOf(block), 0), [blocks])
  const delayed = useMemo(() => edges.filter((edge) => edge.delay > 0).length, [edges])
  const facts = [
    `${whole(blocks.length)} block${blocks.length === 1 ? '' : 's'}, ${whole(edges.length)} edges, ${whole(count)} parameters`,
    `reads ${inputs.map((input) => input.name).join(', ')}`,
    delayed ? `${rolloutOf(description)}: ${whole(delayed)} edge${delayed === 1 ? '' : 's'} with a delay` : 'sequential: no edge has a delay',
  ]
  return (
    <div class="inspector overview">
      <header class="inspected">
        <h2>{nameOf(description, store.id.value)}</h2>
        {facts.map((fact) => (
          <p key={fact} class="note">
            {fact}
          </p>
        ))}
      </header>
      {list.length > 0 && (
        <Section id="all in force" title="In force" note={whole(list.length)}>
          <InForce list={list} />
          {list.filter((one) => one.kind !== 'hold').length > 1 && (
            <div class="in-row">
              <button type="button" class="button" onClick={() => void store.perform('restore all')}>
                Restore all
              </button>
            </div>
          )}
        </Section>
      )}
      <Section id="tries" title="What to try">
        <Tries />
      </Section>
      {sizes.length > 0 && (
        <Section id="sizes" title="Parameters" note={brief(count)}>
          <ul class="sizes">
            {sizes.map(({ path, size }) => (
              <li key={path}>
                <button type="button" class="link" onClick={() => (store.selection.value = { kind: 'block', path })}>
                  {path}
                </button>
                <span class="size-bar" aria-hidden="true">
                  <i style={{ width: `${((100 * size) / sizes[0]!.size).toFixed(1)}%` }} />
                </span>
                <span class="number">{whole(size)}</span>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  )
}

function Tries() {
  const key = (id: string) => <kbd>{keyText(action(id).keys[0]!)}</kbd>
  const show = (region: string, tab: string) => () => (tabOf(region).value = tab)
  return (
    <ul class="tries">
      <li>Click a block to see its maps, weights and gradients as they change; lesion it, clamp it, or paint out a part of its map.</li>
      <li>Click an edge for its delay and weight.</li>
      <li>
        {key('toggle')} holds the run and lets it go on, {key('step')} is one frame on, {key('back')} one back.
      </li>
      <li>
        Drag the learning rate under{' '}
        <button type="button" class="link" onClick={show('right', 'learning')}>
          Learning
        </button>
        ; {key('undo')} takes back whatever was done last.
      </li>
      <li>
        <button type="button" class="link" onClick={show('view', 'rollout')}>
          Rollout
        </button>{' '}
        shows which block works on which frame,{' '}
        <button type="button" class="link" onClick={show('view', 'runs')}>
          Runs
        </button>{' '}
        compares runs and starts new ones.
      </li>
      <li>
        <kbd>/</kbd> finds a block by its name, <kbd>?</kbd> lists all keys.
      </li>
    </ul>
  )
}

function parametersOf(block: BlockInfo): number {
  return block.parameters.reduce((sum, one) => sum + one.count, 0)
}

/** The blocks with most parameters, those that have any. */
export function largest(blocks: readonly BlockInfo[], most = LARGEST): { path: string; size: number }[] {
  return blocks
    .map((block) => ({ path: block.path, size: parametersOf(block) }))
    .filter(({ size }) => size > 0)
    .sort((a, b) => b.size - a.size)
    .slice(0, most)
}

/** The net's name; of one that has none of its own, the experiment's. */
export function nameOf({ name }: Description, id: string | null): string {
  return name && name !== 'net' ? name : (id?.replace(/\/\d+$/, '') ?? 'net')
}

/** The rollout's name, as the document has it. */
export function rolloutOf({ rollout }: Description): string {
  const word = rollout.default
  const name = typeof word === 'string' ? word : typeof word === 'number' ? `delay ${word}` : 'delayed'
  return rollout.align ? `${name}, aligned` : name
}
