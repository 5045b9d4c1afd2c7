"""Runs operations by their plans, level by level; what cannot be planned, and what goes wrong, is graphql-core's."""

from typing import Any, ClassVar, Final

from graphql import ExecutionResult, GraphQLObjectType, OperationType
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.event_execution import EventExecutor
from resolvers.footing import note_footing
from server.execution.compiled import note_use
from server.execution.core import assume_not_awaitable, default_field_resolver, default_type_resolver, is_awaitable
from server.execution.plan import Plan
from server.execution.plans import Plans, Way
from server.execution.run import Run

_PREDICATES: Final[frozenset[Any]] = frozenset({is_awaitable, optimized_is_awaitable, assume_not_awaitable})


def executor_class(plans: Plans | None = None) -> type[StrawberryGraphQLCoreExecutionContext]:
    """Make the class for `strawberry.Schema(execution_context_class=...)`: one for each schema, since it keeps the schema's plans."""
    kept = Plans() if plans is None else plans

    class OperationExecutor(EventExecutor, BreadthFirstExecutor):
        """Executes operations, and each event of a subscription within its scopes."""

        plans = kept

    return OperationExecutor


class BreadthFirstExecutor(StrawberryGraphQLCoreExecutionContext):
    """Resolves an operation level by level where it can be planned.

    When something was found that makes for an error, graphql-core runs the operation with what was found already: its messages, paths
    and nulls are its own, and no resolver is called twice.
    """

    plans: ClassVar[Plans]
    _run: Run | None = None
    _field: FieldDetailsList | None = None

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        plan = None if serially or not self._is_ordinary() else self.plans.plan_for(self)
        if plan is None:
            self.plans.gone[Way.STOCK] += 1
            return super().execute_operation(serially)
        note_use(plan)
        run = Run(self, plan)
        try:
            run.begin()
        except Exception:  # noqa: BLE001  # graphql-core will find it again and say what it means
            run.stop()
            result = self._repeated(run, plan)
            if is_awaitable(result):
                return self._ended(run, result)
            run.cancel_soon()
            return result
        except BaseException:
            run.cancel()
            raise
        if run.pending:
            return self._awaited(run, plan)
        return self._result(run, plan)

    def execute_collected_root_fields(  # graphql-core's signature
        self, root_type: Any, root_value: Any, grouped_field_set: Any, serially: Any, new_defer_usages: Any
    ) -> Any:
        fields = grouped_field_set if self._run is None else self._run.plan.root_fields
        return super().execute_collected_root_fields(root_type, root_value, fields, serially, new_defer_usages)

    def collect_subfields(self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> CollectedFields:
        found = None if self._run is None else self._run.plan.collected.get((return_type, id(field_details_list)))
        return super().collect_subfields(return_type, field_details_list) if found is None else found

    def execute_field(  # graphql-core's signature
        self, parent_type: Any, source: Any, field_details_list: FieldDetailsList, path: Any, position_context: Any
    ) -> Any:
        if self._run is not None:
            self._field = field_details_list
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def get_field_resolver(self, resolve: Any) -> Any:
        """Stand in for the middleware while an operation is repeated: give what was found instead of resolving it anew."""
        assert self._run is not None
        step = self._run.plan.steps.get(id(self._field))
        return resolve if step is None else step.repeated(self._run, resolve)

    def _is_ordinary(self) -> bool:
        middleware = self.middleware_manager
        predicate: Any = self
        return (
            self.operation.operation is not OperationType.MUTATION
            and (middleware is None or not middleware.middlewares)
            and self.abort_signal is None
            and self.hooks is None
            and self.error_propagation
            and self.field_resolver is default_field_resolver
            and self.type_resolver is default_type_resolver
            and predicate.is_awaitable in _PREDICATES
        )

    def _result(self, run: Run, plan: Plan) -> Any:
        if not run.is_flawed:
            try:
                data = run.shown()
            except Exception:  # noqa: BLE001  # as above
                run.is_flawed = True
            else:
                self.plans.gone[Way.QUICK] += 1
                if plan.shows_records:
                    note_footing(self.context_value)
                response = self.build_response(data)
                self._let_go()
                return response
        return self._repeated(run, plan)

    def _let_go(self) -> None:
        """Do not refer to itself any more: the answer would be kept until garbage is searched for."""
        helpers: Any = self
        helpers.async_helpers = None

    def _repeated(self, run: Run, plan: Plan) -> Any:
        del plan
        self.plans.gone[Way.REPEATED] += 1
        self._run = run
        self.middleware_manager = self  # type: ignore[assignment]
        return super().execute_operation(None)

    async def _awaited(self, run: Run, plan: Plan) -> ExecutionResult:
        try:
            await run.until_idle()
            result = self._result(run, plan)
            executed: ExecutionResult = await result if is_awaitable(result) else result
            return executed
        finally:
            await run.end()

    async def _ended(self, run: Run, result: Any) -> ExecutionResult:
        try:
            executed: ExecutionResult = await result
            return executed
        finally:
            await run.end()
