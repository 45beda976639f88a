import { beforeEach, describe, expect, it, vi } from 'vitest'
import { roman } from '../fixture/nets'
import type { ClientMessage } from '../src/protocol'
import { Rest } from '../src/rest'
import { Store } from '../src/session'
import type { SocketEvents } from '../src/socket'
import { encode, type Reading } from '../src/wire'

const status = { id: 'roman/1', state: 'running', clock: { frame: 3, step: 3, epoch: 0, examples: 9 }, speed: null, frames_per_second: 30, interventions: [], rules: [], revision: 1 }
const answers: Record<string, unknown> = {
  '/api/sessions/roman/1': status,
  '/api/sessions/roman/1/net': roman(),
  '/api/sessions/roman/1/history': { history: [] },
}

let sent: ClientMessage[]
let events: SocketEvents
let isOpen: boolean
/** The status of every answer, where the server refuses all. */
let refusal: number | null
let asked: string[]
let store: Store

beforeEach(() => {
  sent = []
  asked = []
  isOpen = true
  refusal = null
  const fetched = (url: string | URL | Request) => {
    const { pathname } = new URL(String(url))
    asked.push(pathname)
    if (refusal) return Promise.resolve(new Response('{}', { status: refusal }))
    return Promise.resolve(new Response(JSON.stringify(answers[pathname] ?? { faults: [{ address: pathname, rule: 'is not there' }] }), { status: pathname in answers ? 200 : 404 }))
  }
  store = new Store(new Rest(new URL('http://127.0.0.1/api/'), fetched as typeof fetch), (_, given) => {
    events = given
    return {
      get isOpen() {
        return isOpen
      },
      latency: null,
      close: () => {},
      send: (message: ClientMessage) => {
        if (isOpen) sent.push(message)
        return isOpen
      },
    }
  })
  store.open('roman/1')
  events.state('open')
})

const reading = (id: number, value: number): Reading => ({ id, frame: 5, low: 0, high: 0, shape: [], data: Float32Array.of(value) })
const watches = () => sent.filter((message) => message.type === 'watch')

describe('an opened session', () => {
  it('has its status, net and history', async () => {
    await vi.waitFor(() => expect(store.description.value?.blocks.length).toBe(9))
    expect(store.status.value?.clock.frame).toBe(3)
    expect(asked.filter((path) => path.endsWith('/net')).length).toBe(1)
  })

  it('asks for the net again when its revision grows', async () => {
    await vi.waitFor(() => expect(store.description.value).not.toBeNull())
    events.message({ type: 'status', ...status, state: 'running', revision: 2 })
    await vi.waitFor(() => expect(asked.filter((path) => path.endsWith('/net')).length).toBe(2))
  })

  it('is called after its record once it has one', () => {
    events.message({ type: 'status', id: 'roman/2' })
    expect(store.id.value).toBe('roman/2')
  })

  it('keeps what was asked for under its first name', async () => {
    events.message({ type: 'status', id: 'roman/2', state: 'running' })
    await vi.waitFor(() => expect(store.description.value?.blocks.length).toBe(9))
    expect(asked.filter((path) => path.endsWith('/net'))).toEqual(['/api/sessions/roman/1/net'])
  })

  it('has its net and history where it was opened before it had a record', async () => {
    store.open('roman/0')
    events.message({ type: 'status', ...status, state: 'running' })
    await vi.waitFor(() => expect(store.description.value?.blocks.length).toBe(9))
    await vi.waitFor(() => expect(store.status.value?.clock.frame).toBe(3))
    expect(store.fault.value).toBeNull()
  })

  it('keeps the newest state of each entry of its history', () => {
    const entry = { number: 1, frame: 4, step: 4, text: 'lesion a', command: { name: 'lesion', arguments: {} }, undoable: true, undone: false, origin: 'browser' }
    events.message({ type: 'entry', ...entry })
    events.message({ type: 'entry', ...entry, undone: true })
    expect(store.history.value).toEqual([{ ...entry, undone: true }])
  })
})

describe('a lost connection', () => {
  const lose = async () => {
    isOpen = false
    events.state('lost') // it broke
    events.state('lost') // it is tried again
    await new Promise((resolve) => setTimeout(resolve, 5))
  }

  it('is silent before it is lost, and is heard again', () => {
    events.silent(true)
    expect(store.isSilent.value).toBe(true)
    events.state('lost')
    expect(store.isSilent.value).toBe(false)
  })

  it('says why it does not come back, until it does', async () => {
    refusal = 401
    await lose()
    expect(store.trouble.value).toContain('open the address that it has printed')
    refusal = null
    isOpen = true
    events.state('open')
    expect([store.trouble.value, store.connection.value]).toEqual([null, 'open'])
  })

  it('tells a server that answers, but takes no more sockets', async () => {
    refusal = null
    await lose()
    expect(store.trouble.value).toContain('too many pages look at it')
  })

  it('is the end of a session that its server knows no more, which may be opened again', async () => {
    refusal = 404
    await lose()
    expect([store.connection.value, store.ended.value]).toEqual(['ended', 'the session is not live any more'])
    refusal = null
    store.open('roman/1')
    events.state('open')
    expect([store.connection.value, store.ended.value]).toEqual(['open', null])
  })
})

describe('subscriptions', () => {
  it('to the same share one watch, and end with the last', () => {
    const [one, other] = [vi.fn(), vi.fn()]
    const stopOne = store.subscribe('net/a/output', 'scalar', one)
    const stopOther = store.subscribe('net/a/output', 'scalar', other)
    expect(watches()).toEqual([{ type: 'watch', id: 1, address: 'net/a/output', reduction: 'scalar', rate: 30, stream: 0, settings: {} }])
    events.binary(encode([reading(1, 2)]))
    expect([one.mock.calls.length, other.mock.calls.length]).toEqual([1, 1])
    stopOne()
    expect(sent.at(-1)!.type).toBe('watch')
    stopOther()
    stopOther()
    expect(sent.slice(1)).toEqual([{ type: 'unwatch', id: 1 }])
  })

  it('that come late are given the newest reading', () => {
    store.subscribe('net/a/output', 'scalar', () => {})
    events.binary(encode([reading(1, 2)]))
    const late = vi.fn()
    store.subscribe('net/a/output', 'scalar', late)
    expect(late.mock.calls[0]![0].data[0]).toBe(2)
  })

  it('with other settings have watches of their own', () => {
    store.subscribe('net/a/output', 'thumbnail', () => {}, { size: [16, 16] })
    store.subscribe('net/a/output', 'thumbnail', () => {}, { size: [32, 32] })
    expect(watches().length).toBe(2)
  })

  it('are made again when the connection is back', () => {
    store.subscribe('net/a/output', 'scalar', () => {})
    events.state('lost')
    events.state('open')
    expect(watches().map((message) => message.id)).toEqual([1, 1])
  })

  it('that are refused say why', () => {
    const refused = vi.fn()
    store.subscribe('net/none/output', 'scalar', () => {}, {}, refused)
    events.message({ type: 'refused', id: 1, faults: [{ address: 'net/none', rule: 'there is no such block', hint: 'did you mean net/nose?' }] })
    expect(refused.mock.calls[0]![0].message).toBe('net/none: there is no such block; did you mean net/nose?')
  })

  it('do not outlive their session', () => {
    const heard = vi.fn()
    const stop = store.subscribe('net/a/output', 'scalar', heard)
    store.open('roman/2')
    events.binary(encode([reading(1, 2)]))
    stop()
    expect(heard).not.toHaveBeenCalled()
    expect(sent.filter((message) => message.type === 'unwatch')).toEqual([])
  })
})

describe('commands', () => {
  it('resolve to their result', async () => {
    const done = store.command('lesion hidden1')
    expect(sent.at(-1)).toEqual({ type: 'command', id: 1, text: 'lesion hidden1' })
    events.message({ type: 'result', id: 1, result: { targets: ['hidden1'] } })
    expect(await done).toEqual({ targets: ['hidden1'] })
  })

  it('that are refused reject with every fault', async () => {
    const done = store.command('lesion hiden1')
    events.message({ type: 'result', id: 1, faults: [{ address: 'net/hiden1', rule: 'there is no such block', value: 'hiden1' }] })
    await expect(done).rejects.toThrow('net/hiden1: there is no such block (got "hiden1")')
  })

  it('need a connection', async () => {
    isOpen = false
    await expect(store.command('play')).rejects.toThrow('play: there is no connection to the session; wait until it is back')
  })

  it('fail when the connection is lost before the answer', async () => {
    const done = store.command('evaluate')
    events.state('lost')
    await expect(done).rejects.toThrow('connection: the connection was lost before the answer came')
  })

  it('that a button gives show their fault on the page', async () => {
    const done = store.perform('nonsense')
    events.message({ type: 'result', id: 1, faults: [{ address: 'nonsense', rule: 'is no command' }] })
    expect(await done).toBe(false)
    expect(store.fault.value!.message).toBe('nonsense: is no command')
  })
})

describe('rows of metrics', () => {
  it('are passed on, and whether they begin anew', () => {
    const heard = vi.fn()
    const stop = store.onMetrics(heard)
    events.message({ type: 'metrics', rows: [{ step: 1, loss: 2 }] })
    events.message({ type: 'metrics', rows: [], reset: true })
    stop()
    events.message({ type: 'metrics', rows: [{ step: 2, loss: 1 }] })
    expect(heard.mock.calls).toEqual([[[{ step: 1, loss: 2 }], false], [[], true]])
  })
})
