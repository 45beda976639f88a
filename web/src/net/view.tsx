/** The view of the net: its canvas and what lies around and over it. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { store } from '../session'
import { NetCanvas } from './canvas'
import { shapeOf, shapeText } from './cards'
import { Enlarged } from './enlarged'
import { listen } from './input'
import { Menu, type MenuAt } from './menu'
import { Minimap } from './minimap'
import { Legend, Toolbar, Zoom } from './toolbar'

/** Where a slash is a letter and no key. */
const TYPED = 'input:not([type=range],[type=checkbox],[type=radio]), textarea, select'

export function NetView() {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [net, setNet] = useState<NetCanvas | null>(null)
  const [menu, setMenu] = useState<MenuAt | null>(null)
  useEffect(() => {
    const made = new NetCanvas(canvas.current!, store)
    const stop = listen(made, store, (at, x, y) => setMenu({ at, x, y }))
    const slash = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.closest(TYPED) !== null
      if (event.key !== '/' || isTyping) return
      document.getElementById('net-search')?.focus()
      event.preventDefault()
    }
    addEventListener('keydown', slash)
    setNet(made)
    return () => {
      removeEventListener('keydown', slash)
      stop()
      made.close()
    }
  }, [])
  return (
    <div class="net">
      <canvas
        ref={canvas}
        class="net-canvas"
        tabIndex={0}
        role="application"
        aria-roledescription="net"
        aria-label="The net. Arrows go from block to block, Enter enlarges or opens, plus and minus scale, F fits, M shows what can be done."
      />
      <Toolbar />
      {net && <Legend net={net} />}
      {net && (
        <div class="corner">
          <Minimap net={net} />
          <Zoom net={net} />
        </div>
      )}
      {net && <Tip net={net} />}
      {net && <Said net={net} />}
      <Enlarged />
      {net && menu && <Menu net={net} open={menu} onClose={() => setMenu(null)} />}
      {net && <Waiting net={net} />}
    </div>
  )
}

function Waiting({ net }: { net: NetCanvas }) {
  if (net.scene.value) return null
  const text = !store.id.value
    ? 'No session is open. Open or start a run under Runs.'
    : net.isLayingOut.value
      ? 'Laying the net out …'
      : store.connection.value === 'open'
        ? store.status.value?.choice === null
          ? 'The run is being prepared: how its net is computed fastest is measured …'
          : 'The net is on its way …'
        : 'Waiting for the session …'
  return <p class="empty over">{text}</p>
}

/** What is under the pointer, in words. */
function Tip({ net }: { net: NetCanvas }) {
  const text = told(net, net.hovered.value)
  if (!text) return null
  return (
    <div class="tip" aria-hidden="true">
      {text.map((line, n) => (n ? <span key={n}>{line}</span> : <strong key={n}>{line}</strong>))}
    </div>
  )
}

/** What is selected, for those who hear it. */
function Said({ net }: { net: NetCanvas }) {
  void store.selection.value
  void net.scene.value
  return (
    <p class="hidden-visually" role="status">
      {told(net, net.selected())?.join(', ') ?? ''}
    </p>
  )
}

function told(net: NetCanvas, at: { node: number | null; link: number | null; frame: number | null }): string[] | null {
  const scene = net.scene.peek()
  if (!scene) return null
  if (at.frame !== null) {
    const module = scene.shown.frames[at.frame]!
    return [module.path, `module of ${module.count} blocks`]
  }
  if (at.link !== null) {
    const link = scene.shown.links[at.link]!
    const { from, to, delay } = scene.graph.wires[link.wires[0]!]!.info
    const more = link.wires.length > 1 ? `${link.wires.length} edges` : ''
    const magnitude = net.magnitude(at.link)
    return [`${from} → ${to}`, delay ? `delay ${delay}` : 'no delay', more, magnitude].filter(Boolean)
  }
  const node = at.node === null ? null : scene.shown.nodes[at.node]
  if (!node) return null
  if (node.kind === 'module') return [node.id, `module of ${node.module.count} blocks`]
  const { block } = node.leaf
  const count = block?.parameters.reduce((sum, parameter) => sum + parameter.count, 0) ?? 0
  const marks = net.marksOf(node.id).map((mark) => mark.text)
  return [
    node.id,
    block?.type ?? 'input',
    shapeText(shapeOf(node.leaf)),
    count ? `${count.toLocaleString('en')} parameters` : '',
    block?.how ?? '',
    ...marks,
  ].filter(Boolean)
}
