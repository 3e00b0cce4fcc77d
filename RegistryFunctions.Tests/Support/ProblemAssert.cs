using System.Net;
using System.Text.Json;

namespace RegistryFunctions.Tests.Support;

/// <summary>The shape that CONTRACT-conforming errors share.</summary>
internal static class ProblemAssert
{
    /// <summary>Asserts the status and the whole problem document, and returns its detail.</summary>
    public static async Task<string> IsProblemAsync(HttpStatusCode status, HttpResponseMessage response)
    {
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"expected {status}, got {response.StatusCode}: {body}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument json = JsonDocument.Parse(body);
        JsonElement problem = json.RootElement;
        Assert.Equal(
            ["type", "title", "status", "detail", "error"], problem.EnumerateObject().Select(member => member.Name));
        Assert.NotEmpty(problem.GetProperty("type").GetString()!);
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        string detail = problem.GetProperty("detail").GetString()!;
        Assert.NotEmpty(detail);
        Assert.Equal(detail, problem.GetProperty("error").GetString());
        return detail;
    }

    /// <summary>
    /// Asserts the answer to a path or method that no function has: the problem stand-alone, and through a Functions host, which
    /// answers by itself, 404 without a body.
    /// </summary>
    public static async Task IsUnroutedAsync(Way way, HttpStatusCode standAlone, HttpResponseMessage response)
    {
        if (way != Way.Worker)
        {
            await IsProblemAsync(standAlone, response);
            return;
        }

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }
}
