/**
 * The calls of tools that wait for a person's decision, as the relay lists them for whoever may decide. It draws nothing.
 *
 * @typedef {import("./interactor-chat-session.js").ChatApproval} ChatApproval
 * @typedef {import("./interactor-chat-session.js").ChatToolCall} ToolCall
 * @typedef {object} Host
 * @property {(call?: string, body?: unknown) => Promise<any>} request reads the list, or sends a decision about a call
 * @property {(error: unknown) => Error} failed
 * @property {() => void} changed
 */

/** Milliseconds before each look at the list: a call is in it a moment after it has begun. */
const PAUSES = [0, 1_000, 2_000, 4_000, 8_000, 16_000];

export class Approvals {
  #host;
  /** By the ids of the calls. @type {Map<string, ChatApproval>} */
  #listed = new Map();
  /** Ids of the calls that have no result. @type {Set<string>} */
  #open = new Set();
  /** Ids of the calls that the list has been read for. @type {Set<string>} */
  #followed = new Set();
  /** Until the list is read again. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Whoever may not decide is told so once, and does not ask again. */
  #isOver = false;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  close() {
    clearTimeout(this.#timer);
    this.#isOver = true;
  }

  /** What waits. @returns {ChatApproval[]} */
  get waiting() {
    return [...this.#listed.values()].filter(({ id, state }) => state !== "decided" && this.#open.has(id));
  }

  /** The call with its approval, also where somebody else was faster. @param {ToolCall} call @returns {ToolCall} */
  with(call) {
    const approval = this.#listed.get(call.id);
    return approval && (call.status === "pending" || approval.state === "decided") ? { ...call, approval } : call;
  }

  /**
   * Reads the list if there are new ones, until it has them all.
   *
   * @param {string[]} open ids of all calls without a result
   * @param {(id: string) => boolean} hasBegun before the eyes of the user
   */
  follow(open, hasBegun) {
    this.#open = new Set(open);
    const fresh = open.filter((id) => !this.#followed.has(id));
    if (!fresh.length) return;
    for (const id of fresh) this.#followed.add(id);
    this.#readLater(fresh.every(hasBegun) ? 1 : 0);
  }

  /**
   * @param {string} id
   * @param {"approve" | "reject"} decision
   * @param {string} [reason]
   */
  async decide(id, decision, reason) {
    const approval = this.waiting.find((each) => each.id === id);
    if (approval?.state !== "waiting") return;
    this.#put({ ...approval, state: "sending", error: undefined });
    try {
      // It is shown until the call has its result.
      await this.#host.request(id, { decision, digest: approval.digest, ...(reason && { reason }) });
    } catch (cause) {
      const error = this.#host.failed(cause);
      const isLate = /** @type {any} */ (error).status === 409;
      this.#put({ ...approval, ...(isLate ? { state: "decided" } : { error }) });
      // A call whose arguments have changed waits on.
      if (isLate) await this.#read();
    }
  }

  /** @param {ChatApproval} approval */
  #put(approval) {
    this.#listed.set(approval.id, approval);
    this.#host.changed();
  }

  /** @param {number} turn */
  #readLater(turn) {
    clearTimeout(this.#timer);
    if (this.#isOver || turn >= PAUSES.length) return;
    const timer = setTimeout(async () => {
      await this.#read();
      const isMissing = [...this.#open].some((id) => !this.#listed.has(id));
      if (isMissing && this.#timer === timer) this.#readLater(turn + 1);
    }, PAUSES[turn]);
    this.#timer = timer;
  }

  async #read() {
    try {
      const { data } = await this.#host.request();
      for (const listed of data) {
        const known = this.#listed.get(listed.id);
        if (known?.digest === listed.digest) continue;
        this.#listed.set(listed.id, { ...listed, state: "waiting", isChanged: known !== undefined });
      }
    } catch (error) {
      if (/** @type {any} */ (error).status === 404) this.#isOver = true;
      else this.#host.failed(error);
    }
    this.#host.changed();
  }
}
