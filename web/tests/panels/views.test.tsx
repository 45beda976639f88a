import { signal } from '@preact/signals'
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/preact'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Charts } from '../../src/panels/charts/charts'
import { liveOf } from '../../src/panels/charts/live'
import { NumberField } from '../../src/panels/forms/number'
import { Scalar } from '../../src/panels/forms/scalar'
import { Inspector } from '../../src/panels/inspector/inspector'
import { Journal } from '../../src/panels/journal/journal'
import { Learning } from '../../src/panels/learning/learning'
import { RolloutView } from '../../src/panels/rollout/rollout'
import { Runs } from '../../src/panels/runs/runs'
import type { MetricsRow } from '../../src/protocol'
import { DESCRIPTION, entry, Server, settled, show, STATUS } from './harness'

afterEach(cleanup)

describe('a number field', () => {
  it('sends a number once it is entered, and marks what is none', async () => {
    const sent = vi.fn()
    show(() => <NumberField label="Std" value={0.5} min={0} onCommit={sent} />, new Server())
    const field = screen.getByLabelText('Std') as HTMLInputElement
    fireEvent.input(field, { target: { value: '-1' } })
    fireEvent.keyDown(field, { key: 'Enter' })
    await settled()
    expect(screen.getByRole('alert').textContent).toBe('must be at least 0')
    expect(sent).not.toHaveBeenCalled()
    fireEvent.input(field, { target: { value: '0,25' } })
    fireEvent.keyDown(field, { key: 'Enter' })
    expect(sent).toHaveBeenCalledExactlyOnceWith(0.25)
  })

  it('keeps what is being typed while the number itself goes on', async () => {
    const sent = vi.fn()
    const value = signal(0.5)
    show(() => <NumberField label="Rate" value={value.value} onCommit={sent} />, new Server())
    const field = screen.getByLabelText('Rate') as HTMLInputElement
    fireEvent.input(field, { target: { value: '0.0' } })
    value.value = 0.49
    await settled()
    expect(field.value).toBe('0.0')
    fireEvent.input(field, { target: { value: '0.01' } })
    value.value = 0.48
    await settled()
    fireEvent.keyDown(field, { key: 'Enter' })
    expect(sent).toHaveBeenCalledExactlyOnceWith(0.01)
    value.value = 0.01
    await waitFor(() => expect(field.value).toBe('0.01'))
  })

  it('moves by its leading digit with the arrows', () => {
    const sent = vi.fn()
    show(() => <NumberField label="Std" value={0.05} onCommit={sent} />, new Server())
    fireEvent.keyDown(screen.getByLabelText('Std'), { key: 'ArrowUp' })
    expect(sent).toHaveBeenCalledWith(0.06)
  })
})

it('keeps a slider under the hand while the number itself goes on', async () => {
  const sent = vi.fn()
  const value = signal(0.5)
  show(() => <Scalar label="p" address="net/drop/p" value={value.value} onCommit={sent} />, new Server())
  const slider = screen.getByRole('slider', { name: 'p' })
  fireEvent.input(slider, { target: { value: '800' } })
  value.value = 0.49
  await settled()
  expect(slider.getAttribute('aria-valuetext')).toBe('0.8')
  await waitFor(() => expect(sent).toHaveBeenCalledExactlyOnceWith(0.8))
  value.value = 0.81
  await waitFor(() => expect(slider.getAttribute('aria-valuetext')).toBe('0.81'))
})

it('sends one number for one drag of a slider', async () => {
  const sent = vi.fn()
  show(() => <Scalar label="p" address="net/drop/p" value={0.5} onCommit={sent} />, new Server())
  const slider = screen.getByRole('slider', { name: 'p' })
  for (const value of ['600', '700', '800']) fireEvent.input(slider, { target: { value } })
  await settled()
  expect(slider.getAttribute('aria-valuetext')).toBe('0.8')
  expect(sent).not.toHaveBeenCalled()
  await waitFor(() => expect(sent).toHaveBeenCalledExactlyOnceWith(0.8))
})

describe('the inspector', () => {
  const select = async (server: Server, selection: NonNullable<typeof server.store.selection.value>) => {
    server.store.selection.value = selection
    await settled()
  }

  it('shows the net as a whole while nothing is selected', async () => {
    const server = new Server()
    show(Inspector, server)
    expect(screen.getByText('No session is shown')).toBeTruthy()
    await server.live()
    await settled()
    expect(screen.getByRole('heading', { name: 'tiny' })).toBeTruthy()
    expect(screen.getByText('2 blocks, 2 edges, 40 parameters')).toBeTruthy()
    fireEvent.click(screen.getByRole('button', { name: 'hidden1' }))
    await settled()
    expect(server.store.selection.value).toEqual({ kind: 'block', path: 'hidden1' })
    await select(server, { kind: 'block', path: 'gone' })
    expect(screen.getByText('gone is not in the net')).toBeTruthy()
  })

  it('lists what is in force anywhere, and ends all of it', async () => {
    const server = new Server()
    await server.live({ interventions: [{ kind: 'lesion', target: 'drop' }, { kind: 'noise', target: 'hidden1' }] })
    show(Inspector, server)
    expect(within(screen.getByLabelText('In force')).getAllByRole('listitem').length).toBe(2)
    fireEvent.click(screen.getByText('Restore all'))
    expect(server.commands).toEqual(['restore all'])
  })

  it('watches what it shows, and nothing once it is gone', async () => {
    const server = new Server()
    await server.live()
    const { unmount } = show(Inspector, server)
    await select(server, { kind: 'block', path: 'hidden1' })
    const wanted = ['whole net/hidden1/output', 'histogram net/hidden1/output', 'distribution net/hidden1/weight', 'scalar net/hidden1/weight/gradient', 'whole net/hidden1/weight']
    await waitFor(() => expect(server.watched).toEqual(expect.arrayContaining(wanted)))
    expect(server.watched).not.toContain('histogram net/hidden1/bias') // folded
    unmount()
    await waitFor(() => expect(server.watched).toEqual([]))
  })

  it('acts on the block', async () => {
    const server = new Server()
    await server.live({ interventions: [{ kind: 'noise', target: 'hidden1', std: 0.2 }] })
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'hidden1' })
    fireEvent.click(within(screen.getByLabelText('The whole block')).getByText('Lesion'))
    fireEvent.click(within(screen.getByLabelText('The whole block')).getByText('Hold'))
    fireEvent.click(within(screen.getByLabelText('In force')).getByText('Restore'))
    expect(server.commands).toEqual(['lesion hidden1', 'hold net/hidden1/*', 'restore hidden1'])
  })

  it('clamps to a number and to a distribution', async () => {
    const server = new Server()
    await server.live()
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'hidden1' })
    fireEvent.click(screen.getByRole('button', { name: 'Clamp', expanded: false }))
    await settled()
    const value = screen.getByLabelText('Value, number')
    fireEvent.input(value, { target: { value: '0.5' } })
    fireEvent.keyDown(value, { key: 'Enter' })
    await settled()
    fireEvent.click(screen.getByText('Clamp', { selector: 'button.primary' }))
    fireEvent.click(screen.getByLabelText('Normal'))
    await settled()
    fireEvent.click(screen.getByText('Clamp', { selector: 'button.primary' }))
    expect(server.commands).toEqual(['clamp hidden1 value=0.5', 'clamp hidden1 normal(0, 1)'])
    fireEvent.click(screen.getByRole('button', { name: 'Clamp', expanded: true }))
  })

  it('sets a block’s numbers', async () => {
    const server = new Server({ 'sessions/tiny/1/addresses': { addresses: [{ address: 'net/drop/p', kind: 'setting', value: 0.3, writable: true }] } })
    await server.live()
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'drop' })
    const slider = screen.getByRole('slider', { name: 'p' })
    await waitFor(() => expect(slider.getAttribute('aria-valuetext')).toBe('0.3'))
    fireEvent.change(slider, { target: { value: '250' } })
    expect(server.commands).toEqual(['set net/drop/p 0.25'])
  })

  it('sets a block’s words, and tells beside them why one is refused', async () => {
    const server = new Server({ 'sessions/tiny/1/addresses': { addresses: [] } })
    const [conv] = DESCRIPTION.blocks
    await server.live({}, [], { ...DESCRIPTION, blocks: [{ ...conv!, settings: [{ address: 'net/hidden1/padding_mode', value: 'zeros' }] }] })
    server.refuses.set('set net/hidden1/padding_mode none', 'must be zeros, reflect, replicate or circular')
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'hidden1' })
    const field = screen.getByLabelText('padding_mode') as HTMLInputElement
    fireEvent.input(field, { target: { value: 'none' } })
    fireEvent.keyDown(field, { key: 'Enter' })
    await settled()
    expect(screen.getByText('set net/hidden1/padding_mode none: must be zeros, reflect, replicate or circular')).toBeTruthy()
    expect(field.value).toBe('zeros')
  })

  it('follows a clamp and noise that are in force with their sliders', async () => {
    const server = new Server()
    await server.live({ interventions: [{ kind: 'clamp', target: 'drop', value: 1 }, { kind: 'noise', target: 'drop', std: 0.1 }] })
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'drop' })
    for (const name of ['Clamp', 'Noise']) fireEvent.click(screen.getByRole('button', { name: new RegExp(`^${name}`), expanded: false }))
    await settled()
    fireEvent.change(screen.getByRole('slider', { name: 'Value' }), { target: { value: '750' } })
    fireEvent.change(screen.getByRole('slider', { name: 'Std' }), { target: { value: '0' } })
    expect(server.commands).toEqual(['clamp drop value=0.5', 'noise drop 0'])
    for (const name of ['Clamp', 'Noise']) fireEvent.click(screen.getByRole('button', { name: new RegExp(`^${name}`), expanded: true }))
  })

  it('acts on all blocks of a module', async () => {
    const server = new Server()
    const blocks = DESCRIPTION.blocks.map((block) => ({ ...block, path: `enc/${block.path}`, module: 'enc' }))
    await server.live({}, [], { ...DESCRIPTION, blocks, edges: [] })
    show(Inspector, server)
    await select(server, { kind: 'module', path: 'enc' })
    fireEvent.click(within(screen.getByLabelText('The whole module')).getByText('Lesion'))
    fireEvent.click(within(screen.getByLabelText('The whole module')).getByText('Reinitialise'))
    expect(server.commands).toEqual(['lesion enc/**', 'reinitialise net/enc/**'])
  })

  it('shows why a change of the net is refused beside the form', async () => {
    const server = new Server()
    await server.live()
    server.refuses.set('widen hidden1 8', 'drop reads it and has no weights to grow')
    show(Inspector, server)
    await select(server, { kind: 'block', path: 'hidden1' })
    fireEvent.click(screen.getByRole('button', { name: /Change the net/ }))
    await settled()
    const field = screen.getByLabelText('Features')
    fireEvent.input(field, { target: { value: '8' } })
    fireEvent.keyDown(field, { key: 'Enter' })
    await settled()
    fireEvent.click(screen.getByText('Widen', { selector: 'button' }))
    await settled()
    expect(screen.getByText('widen hidden1 8: drop reads it and has no weights to grow')).toBeTruthy()
    fireEvent.click(screen.getByRole('button', { name: /Change the net/ }))
  })

  it('shows edges, and leads from one end to the other', async () => {
    const server = new Server()
    await server.live()
    show(Inspector, server)
    await select(server, { kind: 'edge', from: 'image', to: 'hidden1', port: 0 })
    expect(screen.getByText('edge into input 0, 1 frame later')).toBeTruthy()
    fireEvent.click(screen.getByText('Lesion'))
    fireEvent.click(screen.getByText('Disconnect'))
    expect(server.commands).toEqual(['lesion image->hidden1', 'disconnect image->hidden1'])
    fireEvent.click(screen.getByText('hidden1'))
    expect(server.store.selection.value).toEqual({ kind: 'block', path: 'hidden1' })
  })
})

describe('learning', () => {
  const addresses = [
    { address: 'learning/main/rate', kind: 'rate', value: 0.001, writable: true },
    { address: 'learning/main/momentum', kind: 'number', value: 0.9, writable: true },
  ]
  const answer = (_: unknown, query: URLSearchParams) => ({ addresses: query.get('pattern') === 'learning/**' ? addresses : [] })

  it('changes rates, gives them back to their curves, and turns rules off', async () => {
    const server = new Server({ 'sessions/tiny/1/addresses': answer })
    await server.live()
    show(Learning, server)
    await settled(60)
    const rate = screen.getByLabelText('rate, number')
    fireEvent.input(rate, { target: { value: '0.01' } })
    fireEvent.keyDown(rate, { key: 'Enter' })
    fireEvent.click(screen.getByText('Auto'))
    fireEvent.click(screen.getByRole('switch', { name: 'Learning by main' }))
    fireEvent.change(await screen.findByRole('slider', { name: 'momentum' }), { target: { value: '500' } })
    expect(server.commands).toEqual(['rate main 0.01', 'rate main auto', 'learning off main', 'set learning/main/momentum 0.5'])
  })

  it('sets the rates of the parts of a rule by their addresses', async () => {
    const server = new Server({ 'sessions/tiny/1/addresses': { addresses: [] } })
    await server.live({ rules: [{ name: 'main', active: true, rate: { early: 0.1 } }] })
    show(Learning, server)
    await settled(60)
    const rate = screen.getByLabelText('rate of early, number')
    fireEvent.input(rate, { target: { value: '0.2' } })
    fireEvent.keyDown(rate, { key: 'Enter' })
    fireEvent.click(screen.getByText('Auto'))
    expect(server.commands).toEqual(['set learning/main/rate/early 0.2', 'set learning/main/rate/early null'])
  })
})

describe('the journal', () => {
  it('lists commands, newest first, and undoes one of them', async () => {
    const server = new Server()
    await server.live({}, [entry(1, 'lesion hidden1'), entry(2, 'evaluate', { undoable: false })])
    show(Journal, server)
    const rows = screen.getAllByRole('row').slice(1)
    expect(rows.map((row) => within(row).getAllByRole('cell')[0]!.textContent)).toEqual(['2', '1'])
    expect((within(rows[0]!).getByText('Undo') as HTMLButtonElement).disabled).toBe(true)
    fireEvent.click(within(rows[1]!).getByText('Undo'))
    expect(server.commands).toEqual(['undo 1'])
    server.say({ type: 'entry', ...entry(3, 'undo 1', { origin: 'shell' }) })
    await settled()
    expect(screen.getAllByRole('row').length).toBe(4)
    expect(screen.getAllByRole('row')[1]!.textContent).toContain('shell')
  })

  const track = () => {
    const line = document.querySelector('.track') as HTMLElement
    line.getBoundingClientRect = () => new DOMRect(0, 0, 1200, 46)
    const at = (type: string, clientX: number) => fireEvent(line, new PointerEvent(type, { bubbles: true, button: 0, pointerId: 1, clientX }))
    return { line, at }
  }

  it('goes back to the frame that it was dragged to, and on again', async () => {
    const server = new Server()
    await server.live({}, [entry(9, 'lesion hidden1')])
    show(Journal, server)
    const { at } = track()
    at('pointerdown', 1200)
    at('pointermove', 900)
    await settled()
    at('pointermove', 600)
    await settled()
    expect(screen.getByRole('slider', { name: 'Frame to go to' }).getAttribute('aria-valuenow')).toBe('60')
    expect(screen.getByText('sets 1 command aside')).toBeTruthy()
    expect(server.commands).toEqual([])
    at('pointerup', 600)
    await settled()
    expect(server.commands).toEqual(['back 60'])

    server.say({ type: 'status', ...STATUS, state: 'paused', clock: { ...STATUS.clock, frame: 60, step: 60 } })
    await settled()
    const slider = screen.getByRole('slider', { name: 'Frame to go to' })
    expect(slider.getAttribute('aria-valuemax')).toBe('120') // the line stays as long as it was
    for (const key of ['End', 'ArrowLeft', 'Enter']) {
      fireEvent.keyDown(slider, { key })
      await settled()
    }
    expect(server.commands).toEqual(['back 60', 'step 59'])
  })

  it('only aims where it is clicked, and nowhere once a drag is given up', async () => {
    const server = new Server()
    await server.live()
    show(Journal, server)
    const { at } = track()
    at('pointerdown', 300)
    at('pointerup', 300)
    await settled()
    expect(screen.getByText('Back to frame 30')).toBeTruthy()
    fireEvent.click(screen.getByText('Stay'))
    at('pointerdown', 300)
    at('pointermove', 500)
    await settled()
    fireEvent.keyDown(window, { key: 'Escape' })
    at('pointerup', 500)
    await settled()
    expect(server.commands).toEqual([])
    expect((screen.getByText('Drag to go to a frame') as HTMLButtonElement).disabled).toBe(true)
  })

  it('goes back to before a command', async () => {
    const server = new Server()
    await server.live({}, [entry(7, 'lesion hidden1')])
    show(Journal, server)
    fireEvent.click(screen.getByText('Back to it'))
    expect(server.commands).toEqual(['back 50'])
  })
})

describe('the rollout view', () => {
  const info = { inference_factor: 1, delays: { 'x->a': 1 }, tableau: { x: [0, 0], a: [0, 1] }, first_response: { a: 1 } }
  const answer = (_: unknown, query: URLSearchParams) => {
    const policies = query.get('policies')!
    return policies === 'aligned' ? { faults: [{ address: 'rollout', rule: 'a cycle prevents alignment' }] } : { net: 'tiny', frames: 1, rollouts: { [policies]: info } }
  }

  it('shows the rollouts that are possible, and moves on with the session', async () => {
    const server = new Server({ 'sessions/tiny/1/rollout': answer })
    await server.live()
    show(RolloutView, server)
    await waitFor(() => expect(screen.getAllByRole('table').length).toBe(3))
    expect(screen.getAllByRole('table').map((table) => table.getAttribute('aria-label'))).toEqual([
      'Update steps, as this session runs',
      'Update steps, sequential',
      'Update steps, streaming',
    ])
    expect(screen.getByText('streaming, aligned: rollout: a cycle prevents alignment')).toBeTruthy()
    expect(screen.getByText('0 of 1')).toBeTruthy()
    server.say({ type: 'status', ...STATUS, clock: { ...STATUS.clock, frame: 121 } })
    await waitFor(() => expect(screen.getByText('1 of 1')).toBeTruthy())
    expect(screen.getByText('1 of 1')).toBeTruthy()
  })
})

describe('charts', () => {
  it('load what the record has once the session is open, and take what comes after', async () => {
    const server = new Server({ 'runs/tiny/1/metrics': { names: ['train/loss'], rows: { 'train/loss': { step: [10, 20], value: [2, 1] } }, last: 99 } })
    const live = liveOf(server.store)
    await server.live()
    await settled()
    server.say({ type: 'metrics', rows: [{ step: 30, 'train/loss': 0.5 } as unknown as MetricsRow] })
    expect([...live.metrics.of('train/loss').values]).toEqual([2, 1, 0.5])
    expect(live.watched.session.of('rate/main').last).toBe(0.001)
    server.say({ type: 'status', ...STATUS, clock: { ...STATUS.clock, frame: 15, step: 15 } })
    expect([...live.metrics.of('train/loss').steps]).toEqual([10])
    server.say({ type: 'metrics', rows: [], reset: true })
    await waitFor(() => expect([...live.metrics.of('train/loss').steps]).toEqual([10, 20]))
  })

  it('say that there are no numbers yet', async () => {
    const server = new Server({ 'runs/tiny/1/metrics': { names: [], rows: {}, last: 0 } })
    await server.live({ state: 'paused', rules: [] })
    show(Charts, server)
    expect(screen.getByText('No numbers yet')).toBeTruthy()
  })
})

describe('runs', () => {
  const runs = [
    { id: 'digits/1', experiment: 'digits', status: 'running', step: 10, live: true, updated: 2, metrics: { loss: 0.5 } },
    { id: 'digits/2', experiment: 'digits', status: 'interrupted', step: 20, live: false, updated: 1, metrics: { loss: 'NaN' } },
  ]
  const row = (name: string) => screen.getAllByRole('row').find((one) => one.textContent!.includes(name))!

  it('are listed, filtered and stopped', async () => {
    const server = new Server({ runs: { runs }, 'POST runs/digits/1/stop': { id: 'digits/1', status: 'interrupted' } })
    show(Runs, server)
    await waitFor(() => expect(row('digits/2')).toBeTruthy())
    expect(row('digits/2').textContent).toContain('NaN')
    fireEvent.click(within(row('digits/1')).getByText('Stop'))
    await settled()
    expect(server.asked).toContainEqual({ method: 'POST', path: 'runs/digits/1/stop', body: {} })
    fireEvent.input(screen.getByLabelText('Filter runs'), { target: { value: 'interrupted' } })
    await settled()
    expect(screen.getByText('1 of 2')).toBeTruthy()
    fireEvent.input(screen.getByLabelText('Filter runs'), { target: { value: 'nothing' } })
    await settled()
    expect(screen.getByText('No run suits the filter')).toBeTruthy()
  })

  it('are read again when the session changes its state, and said to be old where that fails', async () => {
    let isBroken = false
    const server = new Server({ runs: () => (isBroken ? { faults: [{ address: 'runs', rule: 'cannot be read' }] } : { runs }) })
    await server.live()
    show(Runs, server)
    await waitFor(() => expect(row('digits/2')).toBeTruthy())
    const asked = () => server.asked.filter(({ path }) => path === 'runs').length
    const before = asked()
    server.say({ type: 'status', state: 'stopping' })
    await waitFor(() => expect(asked()).toBe(before + 1))
    isBroken = true
    server.lose()
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('This list is not up to date: runs: cannot be read'))
    expect(row('digits/2')).toBeTruthy()
  })

  it('are removed after a question, and what was refused is told', async () => {
    const refusal = { faults: [{ address: 'digits/2', rule: 'is in use' }] }
    const server = new Server({ runs: { runs }, 'DELETE runs/digits/2': refusal })
    show(Runs, server)
    await waitFor(() => expect(row('digits/2')).toBeTruthy())
    expect((within(row('digits/1')).getByText('Remove') as HTMLButtonElement).disabled).toBe(true)
    fireEvent.click(within(row('digits/2')).getByText('Remove'))
    await settled()
    expect(server.asked.some(({ method }) => method === 'DELETE')).toBe(false)
    fireEvent.click(screen.getByText('Remove', { selector: 'dialog button' }))
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('digits/2: is in use'))
    expect(server.asked.some(({ method }) => method === 'DELETE')).toBe(true)
  })

  it('are started from a valid document only', async () => {
    const validate = (body: unknown) => {
      const { document, set } = body as { document: string; set: object }
      return document.includes('Conv2x') ? { faults: [{ address: 'net.blocks.conv.type', rule: 'unknown block type', line: 8 }] } : { faults: [], experiment: `digits${JSON.stringify(set)}` }
    }
    const server = new Server({ runs: { runs }, experiments: { experiments: [] }, 'POST validate': validate, 'POST runs': { id: 'digits/3', status: 'running' } })
    show(Runs, server)
    await waitFor(() => expect(row('digits/2')).toBeTruthy())
    fireEvent.click(screen.getByLabelText('New run'))
    await waitFor(() => expect(screen.getByText('✓ digits{} is valid')).toBeTruthy())
    const area = screen.getByLabelText('The experiment’s document'.replace('’', "'")) as HTMLTextAreaElement
    const text = area.value
    fireEvent.input(area, { target: { value: text.replace('Conv2d', 'Conv2x') } })
    await waitFor(() => expect(screen.getByText('line 8')).toBeTruthy())
    expect((screen.getByText('Start') as HTMLButtonElement).disabled).toBe(true)
    fireEvent.input(area, { target: { value: text } })
    fireEvent.input(screen.getByLabelText('Changes of single values'), { target: { value: 'run.epochs=2' } })
    await waitFor(() => expect(screen.getByText('✓ digits{"run.epochs":2} is valid')).toBeTruthy())
    fireEvent.click(screen.getByText('Start'))
    await waitFor(() => expect(server.asked.some(({ method, path }) => method === 'POST' && path === 'runs')).toBe(true))
    const started = server.asked.find(({ method, path }) => method === 'POST' && path === 'runs')
    expect(started!.body).toEqual({ document: text, set: { 'run.epochs': 2 }, fresh: false })
    await waitFor(() => expect(screen.getByText('digits/2')).toBeTruthy())
  })
})

it('has a net in every test that is described as the server describes it', () => {
  expect(DESCRIPTION.blocks.every((block) => block.parameters.every((one) => one.address.startsWith(`net/${block.path}/`)))).toBe(true)
})
