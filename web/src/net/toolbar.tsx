/** Above and below the net: search, colours, direction, modules, scale. */

import { store } from '../session'
import type { NetCanvas } from './canvas'
import { COLOUR_BY, tells, type ColourBy } from './kinds'
import { Search } from './search'
import { chosenWord, collapseAll, collapsed, colourBy, direction, expandAll, graph } from './state'

const MOST_WORDS = 12

export function Toolbar() {
  const known = graph.value
  const hasModules = (known?.modules.size ?? 0) > 0
  const isDown = direction.value === 'down'
  return (
    <div class="net-tools" role="toolbar" aria-label="Net">
      <Search />
      <label class="choice">
        <span>Colour</span>
        <select
          class="field"
          aria-label="Colour by"
          value={colourBy.value}
          onChange={(event) => {
            chosenWord.value = null
            colourBy.value = event.currentTarget.value as ColourBy
            if (colourBy.value === 'how') void store.redescribe()
          }}
        >
          {COLOUR_BY.filter(({ id }) => id === colourBy.value || tells(known, id)).map(({ id, label }) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="choice" title="Which example of the batch is shown">
        <span>Stream</span>
        <input
          class="field stream"
          type="number"
          min={0}
          step={1}
          value={store.stream.value}
          onChange={(event) => (store.stream.value = Math.max(0, Math.floor(Number(event.currentTarget.value) || 0)))}
        />
      </label>
      <button
        class="button"
        type="button"
        aria-label={isDown ? 'Lay out from left to right' : 'Lay out from top to bottom'}
        title={isDown ? 'From left to right' : 'From top to bottom'}
        onClick={() => (direction.value = isDown ? 'right' : 'down')}
      >
        {isDown ? '→' : '↓'}
      </button>
      {hasModules && (
        <button class="button" type="button" onClick={() => (collapsed.value.size ? expandAll() : collapseAll())}>
          {collapsed.value.size ? 'Expand all' : 'Collapse all'}
        </button>
      )}
    </div>
  )
}

export function Legend({ net }: { net: NetCanvas }) {
  const colours = net.colours.value
  const counts = net.counts.value
  if (counts.size < 2) return null
  const words = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!)
  return (
    <div class="legend" role="group" aria-label={`Colours by ${colourBy.value}`}>
      {words.slice(0, MOST_WORDS).map((word) => (
        <button
          key={word}
          type="button"
          aria-pressed={chosenWord.value === word}
          title={`Show only these (${counts.get(word)})`}
          onClick={() => (chosenWord.value = chosenWord.value === word ? null : word)}
        >
          <svg width="10" height="10" aria-hidden="true">
            <rect width="10" height="10" rx="2.5" fill={colours.get(word)!.solid} />
          </svg>
          {word}
        </button>
      ))}
      {words.length > MOST_WORDS && <span class="note">and {words.length - MOST_WORDS} more</span>}
    </div>
  )
}

export function Zoom({ net }: { net: NetCanvas }) {
  void net.camera.moved.value
  return (
    <div class="zoom" role="group" aria-label="Scale">
      <button class="button quiet" type="button" aria-label="Smaller" onClick={() => net.camera.zoom(0.8)}>
        −
      </button>
      <button class="button quiet scale" type="button" aria-label="Show at full size" title="To 100 %" onClick={() => net.camera.zoom(1 / net.camera.scale)}>
        {Math.round(net.camera.scale * 100)} %
      </button>
      <button class="button quiet" type="button" aria-label="Larger" onClick={() => net.camera.zoom(1.25)}>
        +
      </button>
      <button class="button quiet" type="button" title="Show the whole net (F)" onClick={() => net.fit()}>
        Fit
      </button>
    </div>
  )
}
