import type { SvelteHTMLElements } from "svelte/elements";
import type { GlobalComponents } from "vue";
import "@interactor/browser/rooms";
import "@interactor/browser/svelte";
import "@interactor/browser/vue";

export const svelte: [SvelteHTMLElements["interactor-chat"], SvelteHTMLElements["interactor-rooms"]] = [
  { room: "room_1", feedback: true, toolLabels: { get_order: "Order" } },
  { assistant: "asst_1", for: "chat", "oninteractor-room": ({ detail }) => console.log(detail.id) },
];
type Props<Name extends keyof GlobalComponents> = InstanceType<GlobalComponents[Name]>["$props"];
export const vue: [Props<"interactor-chat">, Props<"interactor-rooms">] = [
  { room: "room_1", feedback: true, toolLabels: { get_order: "Order" } },
  { assistant: "asst_1", for: "chat", onInteractorRoom: ({ detail }) => console.log(detail.id) },
];
