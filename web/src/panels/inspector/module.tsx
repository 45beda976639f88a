/** A selected module: the blocks in it, and what can be done to all of them at once. */

import type { Description } from '../../protocol'
import { command, word } from '../commands'
import { useStore } from '../context'
import { whole } from '../numbers'
import { useSlice } from '../slice'
import { Gradients } from './gradients'
import { Section } from './section'
import { inForceOn } from './targets'
import { InForce } from './touch'

const MOST_LISTED = 200

export function Module({ description, path }: { description: Description; path: string }) {
  const store = useStore()
  const inside = description.blocks.filter((block) => block.module === path || block.path.startsWith(`${path}/`))
  const parameters = inside.flatMap((block) => block.parameters)
  const count = parameters.reduce((sum, one) => sum + one.count, 0)
  const names = inside.map((block) => block.path)
  const list = useSlice(() => names.flatMap((name) => inForceOn(store.status.value?.interventions, name)).filter((one) => one.kind !== 'hold'))
  const perform = (name: string, target: string) => void store.perform(command(name, [word(target)]))
  return (
    <div class="inspector">
      <header class="inspected">
        <h2>{path}</h2>
        <p class="note">
          module of {whole(inside.length)} blocks, {whole(count)} parameters
        </p>
      </header>
      <div class="in-row acts" role="group" aria-label="The whole module">
        {list.length > 0 ? (
          <button type="button" class="button" onClick={() => perform('restore', `${path}/**`)}>
            Restore
          </button>
        ) : (
          <button type="button" class="button" title="All its blocks send zeros and learn nothing" onClick={() => perform('lesion', `${path}/**`)}>
            Lesion
          </button>
        )}
        {parameters.length > 0 && (
          <button type="button" class="button" title="All parameters in it are drawn anew" onClick={() => perform('reinitialise', `net/${path}/**`)}>
            Reinitialise
          </button>
        )}
      </div>
      <InForce list={list} />
      <Section id="inside" title="Blocks">
        <ul class="wiring">
          {inside.slice(0, MOST_LISTED).map((block) => (
            <li key={block.path}>
              <button type="button" class="link" onClick={() => (store.selection.value = { kind: 'block', path: block.path })}>
                {block.path.startsWith(`${path}/`) ? block.path.slice(path.length + 1) : block.path}
              </button>
              <span class="note">{block.type}</span>
            </li>
          ))}
        </ul>
        {inside.length > MOST_LISTED && <p class="note">and {whole(inside.length - MOST_LISTED)} more; find them by name in the outline</p>}
      </Section>
      <Gradients key={path} parameters={parameters} within={path} />
    </div>
  )
}
