/** Mouse, touchpad, touch and keys on the canvas of the net. */

import type { Store } from '../session'
import type { NetCanvas } from './canvas'
import type { Pointed } from './paint/overlay'
import { enlarged, toggle } from './state'

const NOTHING: Pointed = { node: null, link: null, frame: null }
/** Pixels that a pointer may move and still have clicked. */
const STILL = 4

/** Listens until what it returns is called. */
export function listen(net: NetCanvas, store: Store, onMenu: (at: Pointed, x: number, y: number) => void): () => void {
  const { canvas, camera } = net
  const pointers = new Map<number, { x: number; y: number }>()
  const pressed = { x: 0, y: 0, moved: false }
  const end = new AbortController()
  const place = (event: MouseEvent) => {
    const box = canvas.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }
  const on = <K extends keyof HTMLElementEventMap>(type: K, act: (event: HTMLElementEventMap[K]) => void) =>
    canvas.addEventListener(type, act, { signal: end.signal, passive: false })

  on('pointerdown', (event) => {
    const at = place(event)
    pointers.set(event.pointerId, at)
    canvas.setPointerCapture(event.pointerId)
    if (pointers.size === 1) Object.assign(pressed, at, { moved: false })
  })
  on('pointermove', (event) => {
    const at = place(event)
    const before = pointers.get(event.pointerId)
    if (!before) {
      net.hovered.value = net.at(at.x, at.y)
      canvas.style.cursor = pointsAt(net.hovered.value) ? 'pointer' : 'grab'
      return
    }
    if (Math.hypot(at.x - pressed.x, at.y - pressed.y) > STILL) pressed.moved = true
    if (pointers.size === 2) pinch(net, [...pointers.entries()], event.pointerId, at)
    else if (pressed.moved) {
      canvas.style.cursor = 'grabbing'
      camera.pan(at.x - before.x, at.y - before.y)
    }
    pointers.set(event.pointerId, at)
  })
  const released = (event: PointerEvent) => {
    pointers.delete(event.pointerId)
    if (event.type === 'pointerup' && !pressed.moved && !pointers.size && event.button === 0) {
      const at = place(event)
      clicked(net, store, net.at(at.x, at.y), at.x, at.y)
    }
  }
  on('pointerup', released)
  on('pointercancel', released)
  on('pointerleave', () => (net.hovered.value = NOTHING))
  on('dblclick', (event) => {
    const { x, y } = place(event)
    opened(net, net.at(x, y))
  })
  on('contextmenu', (event) => {
    event.preventDefault()
    const { x, y } = place(event)
    const at = net.at(x, y)
    if (!pointsAt(at)) return
    select(net, store, at)
    onMenu(at, x, y)
  })
  on('wheel', (event) => {
    event.preventDefault()
    const { x, y } = place(event)
    wheeled(net, event, x, y)
  })
  on('keydown', (event) => {
    if (key(net, store, event, onMenu)) {
      event.preventDefault()
      event.stopPropagation()
    }
  })
  return () => end.abort()
}

const pointsAt = (at: Pointed) => at.node !== null || at.link !== null || at.frame !== null

function pinch(net: NetCanvas, pointers: [number, { x: number; y: number }][], moved: number, to: { x: number; y: number }): void {
  const one = pointers.find(([id]) => id === moved)![1]
  const other = pointers.find(([id]) => id !== moved)![1]
  const before = Math.hypot(one.x - other.x, one.y - other.y)
  const after = Math.hypot(to.x - other.x, to.y - other.y)
  net.camera.pan((to.x - one.x) / 2, (to.y - one.y) / 2)
  if (before > 0) net.camera.zoom(after / before, (to.x + other.x) / 2, (to.y + other.y) / 2)
}

/** A mouse's wheel scales; two fingers on a touchpad move, and scale where they are pinched (which sets `ctrlKey`). */
export function wheeled(net: Pick<NetCanvas, 'camera'>, event: WheelEvent, x: number, y: number): void {
  const lines = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 400 : 1
  const [dx, dy] = [event.deltaX * lines, event.deltaY * lines]
  const isMouse = event.deltaMode !== 0 || (dx === 0 && Math.abs(dy) >= 80 && Number.isInteger(dy))
  if (event.ctrlKey || event.metaKey) net.camera.zoom(Math.exp(-dy * (Math.abs(dy) > 40 ? 0.002 : 0.012)), x, y)
  else if (event.shiftKey && isMouse) net.camera.pan(-dy, 0)
  else if (isMouse) net.camera.zoom(Math.exp(-dy * 0.0016), x, y)
  else net.camera.pan(-dx, -dy)
}

export function select(net: NetCanvas, store: Store, at: Pointed): void {
  const scene = net.scene.peek()
  if (!scene || !pointsAt(at)) {
    store.selection.value = null
  } else if (at.node !== null) {
    const node = scene.shown.nodes[at.node]!
    store.selection.value = { kind: node.kind === 'leaf' ? 'block' : 'module', path: node.id }
  } else if (at.link !== null) {
    const { from, to, port } = scene.graph.wires[scene.shown.links[at.link]!.wires[0]!]!.info
    store.selection.value = { kind: 'edge', from, to, port }
  } else {
    store.selection.value = { kind: 'module', path: scene.shown.frames[at.frame!]!.path }
  }
}

/** Selects; a click on a module's sign for opening and closing does that too. */
function clicked(net: NetCanvas, store: Store, at: Pointed, x: number, y: number): void {
  const scene = net.scene.peek()
  select(net, store, at)
  if (!scene || net.camera.scale < 0.3) return
  const [worldX, worldY] = net.camera.toWorld(x, y)
  if (at.node !== null && scene.shown.nodes[at.node]!.kind === 'module') {
    const { x: left, y: top, width } = scene.rect(at.node)
    if (worldX > left + width - 24 && worldY < top + 28) opened(net, at)
  } else if (at.frame !== null && worldX < scene.frame(at.frame).x + 22) {
    opened(net, at)
  }
}

/** Opens or closes a module, or shows a block's output large. */
export function opened(net: NetCanvas, at: Pointed): void {
  const scene = net.scene.peek()
  if (!scene) return
  if (at.frame !== null) toggle(scene.shown.frames[at.frame]!.path)
  else if (at.node !== null) {
    const node = scene.shown.nodes[at.node]!
    if (node.kind === 'module') toggle(node.id)
    else enlarged.value = node.id
  } else if (at.link === null) {
    net.fit()
  }
}

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

/** Returns whether the key meant something. */
function key(net: NetCanvas, store: Store, event: KeyboardEvent, onMenu: (at: Pointed, x: number, y: number) => void): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false
  const arrow = ARROWS[event.key]
  if (arrow) {
    if (event.shiftKey) net.camera.pan(-80 * arrow[0], -80 * arrow[1])
    else walk(net, store, ...arrow)
    return true
  }
  const at = net.selected()
  switch (event.key) {
    case '+':
    case '=':
      net.camera.zoom(1.25)
      return true
    case '-':
      net.camera.zoom(0.8)
      return true
    case '0':
    case 'f':
      net.fit()
      return true
    case 'Enter':
      if (pointsAt(at)) opened(net, at)
      return true
    case 'Escape':
      if (enlarged.peek() !== null) enlarged.value = null
      else store.selection.value = null
      return true
    case 'm':
    case 'ContextMenu':
      if (pointsAt(at)) onMenu(at, ...middle(net, at))
      return true
    default:
      return false
  }
}

function middle(net: NetCanvas, at: Pointed): [number, number] {
  const scene = net.scene.peek()!
  if (at.node === null) return [net.camera.width / 2, net.camera.height / 2]
  const rect = scene.rect(at.node)
  return net.camera.toScreen(rect.x + rect.width / 2, rect.y + rect.height / 2)
}

/** Selects the next block in a direction; the first time, the one nearest to the middle of the view. */
function walk(net: NetCanvas, store: Store, dx: number, dy: number): void {
  const scene = net.scene.peek()
  if (!scene?.cards.length) return
  const from = net.selected().node
  const { view } = net.camera
  const next = from === null ? nearest(net) : scene.beside(from, dx, dy)
  if (next === null) return
  select(net, store, { node: next, link: null, frame: null })
  const rect = scene.rect(next)
  const isInside = rect.x > view.x && rect.y > view.y && rect.x + rect.width < view.x + view.width && rect.y + rect.height < view.y + view.height
  if (!isInside) net.camera.reveal(rect)
}

function nearest(net: NetCanvas): number {
  const scene = net.scene.peek()!
  const { view } = net.camera
  const [x, y] = [view.x + view.width / 2, view.y + view.height / 2]
  let [best, least] = [0, Infinity]
  scene.cards.forEach((card, n) => {
    const distance = Math.hypot(scene.layout.x[n]! + card.width / 2 - x, scene.layout.y[n]! + card.height / 2 - y)
    if (distance < least) [least, best] = [distance, n]
  })
  return best
}
