namespace RegistryFunctions.Functions;

/// <summary>An answer that is a status without a body.</summary>
/// <param name="status">The HTTP status.</param>
public sealed class Empty(int status) : IResult
{
    /// <summary>204: what was asked is done.</summary>
    public static Empty NoContent { get; } = new(StatusCodes.Status204NoContent);

    /// <summary>304: the client has what is current.</summary>
    public static Empty NotModified { get; } = new(StatusCodes.Status304NotModified);

    /// <summary>Writes the answer.</summary>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
