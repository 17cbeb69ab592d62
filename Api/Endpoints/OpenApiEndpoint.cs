using System.Reflection;
using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Api.Endpoints;

/// <summary>The description of this API, without a token. Its source is <c>Api/openapi.json</c>; tests compare it with the code.</summary>
internal static class OpenApiEndpoint
{
    private static readonly Lazy<byte[]> Document = new(Read);

    public static void Register(Router router) => router.Map(Verb.Get, "/v1/openapi.json", static exchange =>
    {
        exchange.Answer(200).Raw(Document.Value);
        return default;
    });

    private static byte[] Read()
    {
        using Stream resource = Assembly.GetExecutingAssembly().GetManifestResourceStream("openapi.json")!;
        var text = new byte[resource.Length];
        resource.ReadExactly(text);
        return Compact(text);
    }

    /// <summary>Removes the white space between tokens.</summary>
    private static byte[] Compact(ReadOnlySpan<byte> json)
    {
        var compact = new List<byte>(json.Length);
        bool isText = false;
        for (int i = 0; i < json.Length; i++)
        {
            byte c = json[i];
            if (isText && c == '\\')
            {
                compact.Add(c);
                c = json[++i];
            }
            else if (c == '"')
            {
                isText = !isText;
            }
            else if (!isText && c is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            {
                continue;
            }

            compact.Add(c);
        }

        return [.. compact];
    }
}
