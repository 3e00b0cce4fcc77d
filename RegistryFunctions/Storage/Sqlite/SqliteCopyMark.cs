using System.Text;
using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The table that a file has for as long as it is another registry's copy. The first server that opens it ends that.
/// </summary>
internal static class SqliteCopyMark
{
    /// <summary>Begins a copy, or goes on with one of the same source.</summary>
    /// <exception cref="StoreOpenException">The file holds something else.</exception>
    public static void Begin(SqliteSession session, string source)
    {
        using SqliteTransaction transaction = session.Begin(deferred: false);
        if (!IsThere(session))
        {
            if (session.Scalar<long>("SELECT EXISTS (SELECT 1 FROM accepted) OR EXISTS (SELECT 1 FROM held_per_device)") != 0)
            {
                throw new StoreOpenException("holds a registry: copy to a file that does not exist");
            }

            session.Execute("CREATE TABLE copy (source TEXT NOT NULL, is_complete INTEGER NOT NULL) STRICT");
            session.Prepare("INSERT INTO copy (source, is_complete) VALUES (CAST(? AS TEXT), 0)")
                .Bind(1, Encoding.UTF8.GetBytes(source))
                .Execute();
        }
        else if (session.Scalar<string>("SELECT source FROM copy") is { } other && other != source)
        {
            throw new StoreOpenException($"is a copy of {other}: copy to a file that does not exist");
        }

        session.Execute("UPDATE copy SET is_complete = 0");
        transaction.Commit();
    }

    /// <summary>Makes sure, in a transaction that writes, that no server has opened the file.</summary>
    /// <exception cref="StoreException">One has.</exception>
    public static void RefuseServed(SqliteSession session)
    {
        if (!IsThere(session))
        {
            throw new StoreException(StoreFault.Unavailable, "a server was started on the target: what it holds is no copy any more");
        }
    }

    /// <summary>Ends that the file is a copy, as a server is about to use it.</summary>
    /// <exception cref="StoreOpenException">The copy is not complete.</exception>
    public static void BeginServing(SqliteSession session)
    {
        if (!IsThere(session))
        {
            return;
        }

        using SqliteTransaction transaction = session.Begin(deferred: false);
        if (session.Scalar<long>("SELECT min(is_complete) FROM copy") == 0)
        {
            throw new StoreOpenException("is a copy that is not complete: run RegistryFunctions copy again");
        }

        session.Execute("DROP TABLE copy");
        transaction.Commit();
    }

    private static bool IsThere(SqliteSession session) =>
        session.Scalar<long>("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'copy'") > 0;
}
