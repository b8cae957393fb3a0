from tests.bench.bench import Bench


async def run(bench: Bench) -> None:
    pass
