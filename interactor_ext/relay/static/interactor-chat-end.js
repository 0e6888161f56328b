/** In pixels. Words may arrive while the reader scrolls down, so this near counts as the end. */
const NEAR_END = 40;

/**
 * Keeps the end of what scrolls in view until its reader scrolls up, however little. Near the end again, or after `resume`, it
 * follows on.
 */
export class FollowedEnd {
  isFollowing = true;
  #node;
  #placeOf;
  /** Where it was scrolled to when it was looked at last. */
  #top = 0;

  /**
   * @param {HTMLElement} node
   * @param {{onScroll?: () => void, placeOf?: () => number}} [options] `placeOf` tells where the end is, to be scrolled to
   */
  constructor(node, { onScroll = () => {}, placeOf = () => node.scrollHeight } = {}) {
    this.#node = node;
    this.#placeOf = placeOf;
    node.addEventListener("scroll", () => {
      this.#look();
      onScroll();
    });
    // A keyboard on the screen, a turned phone, anything drawn. Measuring after layout is free; while drawing it would force one.
    const sizes = new ResizeObserver(() => this.follow());
    for (const each of [node, ...node.children]) sizes.observe(each);
  }

  follow() {
    this.#look();
    if (this.isFollowing) this.resume();
  }

  resume() {
    const node = this.#node;
    this.isFollowing = true;
    node.scrollTop = this.#placeOf();
    this.#top = node.scrollTop;
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#node;
    const rest = scrollHeight - scrollTop - clientHeight;
    if (rest < 1 || (scrollTop > this.#top && rest < NEAR_END)) this.isFollowing = true;
    else if (scrollTop < this.#top) this.isFollowing = false;
    this.#top = scrollTop;
  }
}
