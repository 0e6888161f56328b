"""The main calls, one after the other: an assistant, a conversation, pages, an error."""

from interactor_ext import InteractorClient, NotFoundError


def main() -> None:
    with InteractorClient() as client:  # reads INTERACTOR_CLIENT_ID and INTERACTOR_CLIENT_SECRET
        user = client.namespace("user_123")  # what follows belongs to this one tenant

        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
        room = user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com"})
        print(f"{bot.name} {bot.id} waits in {room.id}")

        answer = user.messages.send(room.id, content="Hello!")
        print(f"{answer.role}: {answer.content}")

        with user.chat(room.id, "And word by word?") as reply:
            for text in reply.text():
                print(text, end="", flush=True)
            print(f"  ({reply.message().id})")

        for number in range(5):
            user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="You are helpful.")
        page = user.assistants.list(per_page=4)
        names = [assistant.name for assistant in user.assistants.iterate(per_page=4)]
        print(f"{len(names)} assistants on {page.meta.total_pages} pages: {', '.join(names)}")

        try:
            user.assistants.get("asst_unknown")
        except NotFoundError as error:
            print(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
