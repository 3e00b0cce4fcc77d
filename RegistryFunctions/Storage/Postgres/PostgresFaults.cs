using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// What errors of PostgreSQL and of the way to it mean (https://www.postgresql.org/docs/current/errcodes-appendix.html).
/// </summary>
internal static class PostgresFaults
{
    /// <summary>The fault of the store that an error is; null for a bug.</summary>
    public static StoreException? AsStoreException(Exception e) => e switch
    {
        StoreException fault => fault,
        PostgresException error => new StoreException(FaultOf(error.SqlState), Explain(error), error),
        NpgsqlException { InnerException: TimeoutException } => new StoreException(
            StoreFault.Busy, "PostgreSQL or a free connection to it did not answer in time", e),
        NpgsqlException or SocketException or IOException or AuthenticationException =>
            new StoreException(StoreFault.Unavailable, Explain(e), e),
        ObjectDisposedException => new StoreException(StoreFault.Busy, "the store is closing", e),
        _ => null,
    };

    /// <summary>
    /// Whether an error may be due to one device or bundle of a batch, so that the others can be written without it. The
    /// connection, the server as a whole and the rights on it concern all alike.
    /// </summary>
    public static bool MayBeDueToOne(Exception e) =>
        e is PostgresException { SqlState: { } state } && state[..2] is not ("08" or "25" or "28" or "42" or "53" or "57" or "58");

    /// <summary>Whether the same may well work right away: others were at the same rows.</summary>
    public static bool IsCollision(Exception e) => e is PostgresException
    {
        SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.UniqueViolation
    };

    /// <summary>One line that says what is wrong.</summary>
    public static string Explain(Exception e) => e switch
    {
        PostgresException error => $"{error.MessageText.ReplaceLineEndings(" ")} (SQLSTATE {error.SqlState})",
        { InnerException: { } inner } when !e.Message.Contains(inner.Message, StringComparison.Ordinal) =>
            $"{e.Message}: {Explain(inner)}".ReplaceLineEndings(" "),
        _ => e.Message.ReplaceLineEndings(" "),
    };

    private static StoreFault FaultOf(string state) => state switch
    {
        PostgresErrorCodes.DiskFull => StoreFault.Full,
        PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.ObjectInUse => StoreFault.Busy,
        _ when state.StartsWith("53", StringComparison.Ordinal) || state.StartsWith("40", StringComparison.Ordinal) => StoreFault.Busy,
        _ => StoreFault.Unavailable,
    };
}
