import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/preact'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { actionOf, ACTIONS, answerText, keyText, speedCommand, speedPlace, SPEEDS } from '../../src/panels/bar/actions'
import { helpIsShown } from '../../src/panels/bar/keys'
import { SessionChoice } from '../../src/panels/bar/sessions'
import { Toasts } from '../../src/panels/bar/toasts'
import { Transport } from '../../src/panels/bar/transport'
import { tabOf } from '../../src/shell/region'
import { Server, settled, show, STATUS } from './harness'

let server: Server

beforeEach(() => {
  server = new Server()
})

afterEach(() => {
  helpIsShown.value = false
  server.store.close()
  cleanup()
})

describe('the bar', () => {
  it('shows the clock and how it stands', async () => {
    await server.live()
    show(Transport, server)
    const clock = screen.getByLabelText('Clock')
    expect(clock.textContent).toMatch(/running.*frame 120.*step 120.*epoch 1.5.*frames\/s 31.5/)
    server.say({ type: 'status', ...STATUS, state: 'paused', clock: { ...STATUS.clock, frame: 121 } })
    await settled()
    expect(clock.textContent).toMatch(/paused.*frame 121/)
  })

  it('gives commands', async () => {
    await server.live()
    show(Transport, server)
    for (const name of ['Pause', 'One frame on', 'One frame back', 'Undo the newest command', 'Evaluate now', 'Checkpoint now']) {
      fireEvent.click(screen.getByLabelText(name))
    }
    expect(server.commands).toEqual(['pause', 'step', 'back', 'undo', 'evaluate', 'checkpoint'])
    server.say({ type: 'status', ...STATUS, state: 'paused' })
    await settled()
    fireEvent.click(screen.getByLabelText('Play'))
    expect(server.commands.at(-1)).toBe('play')
  })

  it('asks before it stops the run', async () => {
    await server.live()
    show(Transport, server)
    fireEvent.click(screen.getByLabelText('Stop the run'))
    await settled()
    expect(server.commands).toEqual([])
    fireEvent.click(screen.getByText('Cancel'))
    await settled()
    fireEvent.click(screen.getByLabelText('Stop the run'))
    await settled()
    fireEvent.click(screen.getByText('Stop'))
    expect(server.commands).toEqual(['stop'])
  })

  it('sends a speed once the slider rests', async () => {
    await server.live()
    show(Transport, server)
    const slider = screen.getByRole('slider')
    for (const place of ['10', '9', '7']) fireEvent.input(slider, { target: { value: place } })
    await settled(220)
    expect(server.commands).toEqual(['speed 30'])
  })

  it('takes a speed as a number, and nothing that is none', async () => {
    await server.live()
    show(Transport, server)
    const field = screen.getByLabelText('Speed, frames per second') as HTMLInputElement
    expect([field.value, field.placeholder]).toEqual(['', 'max'])
    fireEvent.keyDown(field, { key: 'ArrowUp' })
    for (const text of ['0', '12.5']) {
      fireEvent.input(field, { target: { value: text } })
      fireEvent.keyDown(field, { key: 'Enter' })
      await settled()
    }
    expect(server.commands).toEqual(['speed 12.5'])
  })

  it('is asleep without a connection', async () => {
    await server.live()
    show(Transport, server)
    server.lose()
    await settled()
    expect((screen.getByLabelText('Pause') as HTMLButtonElement).disabled).toBe(true)
    expect(screen.getByLabelText('Clock').textContent).toMatch(/^lost.*frames\/s –/)
    fireEvent.keyDown(document.body, { key: ' ' })
    expect(server.commands).toEqual([])
  })

  it('says why a run is held, where a frame has failed', async () => {
    await server.live()
    show(Transport, server)
    show(Toasts, server)
    server.say({ type: 'status', ...STATUS, state: 'paused', held: 'net/loss: label 9 has no score' })
    await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('a frame has failed: net/loss: label 9 has no score'))
    expect(screen.getByText('held').title).toBe('net/loss: label 9 has no score')
    fireEvent.click(within(screen.getByRole('alert')).getByLabelText('Dismiss'))
    server.say({ type: 'status', ...STATUS, state: 'running', held: null })
    await settled()
    expect(screen.getByLabelText('Clock').textContent).toMatch(/^running/)
  })

  it('says that the session has ended', async () => {
    await server.live()
    show(Transport, server)
    server.say({ type: 'ended', reason: 'finished' })
    await settled()
    expect(screen.getByLabelText('Clock').textContent).toContain('ended')
  })
})

describe('the choice of a session', () => {
  it('offers those that live, and all runs', async () => {
    const other = new Server({ sessions: { sessions: [{ id: 'tiny/1' }, { id: 'tiny/2' }] } })
    await other.live()
    show(SessionChoice, other)
    const choice = screen.getByLabelText('Session') as HTMLSelectElement
    expect(choice.value).toBe('tiny/1')
    fireEvent.focus(choice)
    await waitFor(() => expect([...choice.options].map((option) => option.text)).toEqual(['tiny/1', 'tiny/2', 'All runs …']))
    fireEvent.change(choice, { target: { value: ' all' } })
    expect([tabOf('view').value, other.store.id.value]).toEqual(['runs', 'tiny/1'])
    fireEvent.change(choice, { target: { value: 'tiny/2' } })
    expect(other.store.id.value).toBe('tiny/2')
  })
})

describe('keys', () => {
  it('do what buttons do', async () => {
    await server.live()
    show(Transport, server)
    for (const key of [' ', '.', '>', ',', 'u']) fireEvent.keyDown(document.body, { key })
    expect(server.commands).toEqual(['pause', 'step', 'step 10', 'back', 'undo'])
  })

  it('are left alone while somebody types, and with Ctrl', () => {
    const input = document.createElement('input')
    document.body.append(input)
    const pressed = (target: EventTarget, key: string, more: KeyboardEventInit = {}) => {
      let found: unknown
      const listen = (event: Event) => (found = actionOf(event as KeyboardEvent))
      addEventListener('keydown', listen, { once: true })
      target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, ...more }))
      return found
    }
    expect(pressed(input, 'u')).toBeNull()
    expect(pressed(document.body, 'u', { ctrlKey: true })).toBeNull()
    expect(pressed(document.body, 'u')).toBe(ACTIONS.find((one) => one.id === 'undo'))
    input.remove()
  })

  it('are each for one action', () => {
    const keys = ACTIONS.flatMap((one) => one.keys)
    expect(new Set(keys).size).toBe(keys.length)
    expect([' ', 'L', 'x', 'Escape'].map(keyText)).toEqual(['Space', 'Shift L', 'x', 'Esc'])
  })

  it('are listed when ? is pressed', async () => {
    await server.live()
    show(Transport, server)
    fireEvent.keyDown(document.body, { key: '?' })
    await settled()
    expect(screen.getByText('Play or pause')).toBeTruthy()
    fireEvent.keyDown(document.body, { key: '.' })
    expect(server.commands).toEqual([])
  })
})

it('finds the place of a speed, and the command of a place', () => {
  expect(speedPlace(null)).toBe(SPEEDS.length - 1)
  expect(SPEEDS[speedPlace(28)]).toBe(30)
  expect(speedCommand(SPEEDS.length - 1)).toBe('speed max')
  expect(speedCommand(0)).toBe('speed 0.5')
})

it('tells what a command answered', () => {
  expect(answerText({ accuracy: 0.98765, loss: 0.1 })).toBe('accuracy 0.9877, loss 0.1')
  expect(answerText({ val: { loss: 0.5 } })).toBe('val loss 0.5')
  expect(answerText('runs/a/1/checkpoints/step-3')).toBe('runs/a/1/checkpoints/step-3')
  expect(answerText(null)).toBe('done')
})

describe('toasts', () => {
  it('say why a command was refused, as the server says it', async () => {
    await server.live()
    show(Toasts, server)
    server.refuses.set('back', 'there is no snapshot of that frame')
    expect(await server.store.perform('back')).toBe(false)
    await settled()
    expect(screen.getByRole('alert').textContent).toContain('back: there is no snapshot of that frame')
    fireEvent.click(within(screen.getByRole('alert')).getByLabelText('Dismiss'))
    await settled()
    expect(screen.getByRole('alert').textContent).toBe('')
  })
})
