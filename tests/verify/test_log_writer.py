"""Log lines that are gathered and written together: none is lost, none is torn, none ends a call."""

import io
import subprocess
import sys
import threading

from verify.log_writer import LogWriter


class Counted(io.StringIO):
    """Remembers what it was given at once, and wakes whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.pieces.append(text)
        count = super().write(text)
        self.written.set()
        return count


class Full(io.StringIO):
    """A file on a full disk, until there is room again."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_without_gathering_a_line_is_there_once_it_is_flushed() -> None:
    stream = Counted()
    writer = LogWriter(stream)
    writer.write("one")
    writer.write("\n")
    assert stream.pieces == []
    writer.flush()
    assert stream.pieces == ["one\n"]
    assert all(thread.name != "countersign-log" for thread in threading.enumerate())


def test_lines_that_come_together_are_written_together() -> None:
    stream = Counted()
    writer = LogWriter(stream, gather=3600)
    for number in range(50):
        writer.write(f"{number}\n")
        writer.flush()
    assert stream.pieces == []
    writer.write_out()
    assert stream.pieces == ["".join(f"{number}\n" for number in range(50))]


def test_they_are_written_soon_without_anybody_asking() -> None:
    stream = Counted()
    writer = LogWriter(stream, gather=0.01)
    for number in range(3):
        stream.written.clear()
        writer.write(f"{number}\n")
        writer.flush()
        assert stream.written.wait(10)
    assert stream.getvalue() == "0\n1\n2\n"


def test_pieces_hold_whole_lines_and_at_most_what_a_pipe_takes_unmixed() -> None:
    stream = Counted()
    writer = LogWriter(stream, gather=3600)
    lines = [f"{number:0{width}}\n" for number, width in enumerate([10, 3_980, 9, 1_500, 1_500, 1_500, 9_000, 5])]
    for line in lines:
        writer.write(line)
    writer.write_out()
    assert "".join(stream.pieces) == "".join(lines)
    assert all(piece.endswith("\n") for piece in stream.pieces)
    assert [len(piece) for piece in stream.pieces if len(piece) > 4_000] == [9_001], "a line is never cut"
    assert len(stream.pieces) < len(lines)


def test_many_threads_lose_nothing_and_keep_each_its_order() -> None:
    stream = Counted()
    writer = LogWriter(stream, gather=0.001)

    def talk(name: int) -> None:
        for number in range(500):
            writer.write(f"{name} {number}\n")
            writer.flush()

    threads = [threading.Thread(target=talk, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.write_out()
    told = [tuple(map(int, line.split())) for line in stream.getvalue().splitlines()]
    for name in range(4):
        assert [number for who, number in told if who == name] == list(range(500))


def test_what_cannot_be_written_is_dropped_and_the_next_line_is_tried_again() -> None:
    stream = Full()
    writer = LogWriter(stream)
    writer.write("lost\n")
    writer.flush()
    stream.full = False
    writer.write("kept\n")
    writer.flush()
    assert stream.getvalue() == "kept\n"
    stream.close()
    writer.write("nowhere\n")
    writer.flush()


def test_a_process_that_ends_writes_what_is_gathered() -> None:
    said = "from verify.log_writer import LogWriter; import sys; w = LogWriter(sys.stdout, gather=3600); "
    said += "[w.write(f'{n}\\n') for n in range(2000)]; w.flush()"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [str(number) for number in range(2000)]
