"""Statements that are made once and run often.

SQLAlchemy spends ten times as long on a look-up by an index as SQLite does: it looks for the compiled statement, opens
a cursor, goes to and from a greenlet, and keeps each row in a session that ends at once. What of that is the same each
time is done here at the first run; on SQLite the text is then handed to the connection. Rows that a transaction only
reads become objects that belong to no session; those that it reads to change them, and those that it adds, are in its
session as if that had done it. On PostgreSQL these are ordinary statements.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Dialect, Insert, Select, Update, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import instance_state

if TYPE_CHECKING:
    from server.catalog.database import Transaction
    from server.catalog.direct import Direct

Found = TypeVar("Found")
Row = Sequence[Any]
Convert = Callable[[Any], Any]


class Prepared(Generic[Found]):
    """A SELECT of one mapped class or of one column; what differs from run to run is a `bindparam`, not an expanding
    one."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        entity = statement.column_descriptions[0]["expr"]
        self._entity = entity if isinstance(entity, type) else None
        self._plan: _Plan | None = None

    async def all(self, transaction: "Transaction", **parameters: Any) -> list[Found]:
        direct = transaction.direct
        if direct is None:
            return list(await transaction.scalars(self.statement, parameters))
        if direct.writes and transaction.is_pending:
            await transaction.flush()
        found = await self.written(transaction, direct, **parameters)
        return found if self._entity is None or not direct.writes else [await transaction.own(row) for row in found]

    async def written(self, transaction: "Transaction", direct: "Direct", **parameters: Any) -> list[Found]:
        """All, without what the session has not written yet, and as objects that it does not know."""
        if self._plan is None:
            self._plan = _Plan(self.statement, self._entity, direct.dialect)
        done = await direct.run(transaction, *self._plan.text.given(parameters))
        return self._plan.found(done.rows())

    async def one(self, transaction: "Transaction", **parameters: Any) -> Found | None:
        """The first, if there is any."""
        if transaction.direct is None:
            first: Found | None = await transaction.scalar(self.statement, parameters)
            return first
        found = await self.all(transaction, **parameters)
        return found[0] if found else None


class PreparedWrite:
    """An INSERT or UPDATE that is no object's, on SQLite."""

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._text: Text | None = None

    async def make(self, transaction: "Transaction", direct: "Direct", **parameters: Any) -> None:
        if self._text is None:
            self._text = Text(self._statement, direct.dialect)
        await direct.run(transaction, *self._text.given(parameters))


class Text:
    """A statement as SQLite takes it."""

    def __init__(self, statement: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        if compiled.post_compile_params:
            raise ValueError("a statement whose text differs from run to run can't be prepared")
        self._operation = str(compiled)
        self._values: Mapping[str, Any] = compiled.params
        names = list(compiled.positiontup or ())
        self._asked = frozenset(name for name in names if compiled.binds[name].required)
        types = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
        self._converts = [(name, type.bind_processor(dialect)) for name, type in zip(names, types, strict=True)]

    def given(self, parameters: Mapping[str, Any]) -> tuple[str, Row]:
        """The text, and the parameters in their places."""
        if parameters.keys() != self._asked:
            raise TypeError(f"the statement asks for {sorted(self._asked)}, not for {sorted(parameters)}")
        values = {**self._values, **parameters}
        return self._operation, [
            values[name] if convert is None else convert(values[name]) for name, convert in self._converts
        ]


class _Plan:
    """What is the same each time that rows are read."""

    def __init__(self, statement: Select[Any], entity: type | None, dialect: Dialect) -> None:
        self._make = _Making(entity) if entity is not None else None
        if self._make is not None:
            columns = [getattr(entity, key) for key in self._make.keys]
            statement = statement.with_only_columns(*columns, maintain_column_froms=True)
        self.text = Text(statement, dialect)
        types = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
        converts = [type.result_processor(dialect, None) for type in types]
        # of a video's 46 columns 25 come as they are wanted
        self._converts = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def found(self, rows: Sequence[Row]) -> list[Any]:
        converted = [self._converted(row) for row in rows]
        if self._make is None:
            return [row[0] for row in converted]
        return [self._make.row(row) for row in converted]

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for place, convert in self._converts:
            if (value := values[place]) is not None:
                values[place] = convert(value)
        return values


class _Making:
    """Objects of a mapped class, as those whose session has ended."""

    def __init__(self, entity: type) -> None:
        mapper: Mapper[Any] = inspect(entity)
        self.keys = [each.key for each in mapper.column_attrs if not each.deferred]
        self._new = mapper.class_manager.new_instance
        self._primary = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        self._identity = mapper.identity_key_from_primary_key

    def row(self, values: Row) -> Any:
        made = self._new()
        inside = vars(made)
        inside.update(zip(self.keys, values, strict=True))
        instance_state(made).key = self._identity(tuple(inside[key] for key in self._primary))
        return made
