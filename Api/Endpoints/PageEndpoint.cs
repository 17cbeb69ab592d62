using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Api.Endpoints;

/// <summary>
/// The page for people: files of the folder Web, embedded in the executable. They need no token, as they contain nothing of this machine; the
/// page asks for one, and sends it with its own requests to the API.
/// </summary>
internal static class PageEndpoint
{
    /// <summary>The page may load nothing but its own files, and no other page may contain it.</summary>
    private static readonly byte[] ContentSecurityPolicy = Encoding.ASCII.GetBytes(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");

    private static readonly (string Path, string Resource, AnswerType Type)[] Files =
    [
        ("/", "index.html", AnswerType.Html),
        ("/app.css", "app.css", AnswerType.Css),
        ("/icon.svg", "icon.svg", AnswerType.Svg),
        .. ((string[])["api", "app", "dom", "lists", "overview", "rules"]).Select(module => ($"/{module}.js", $"{module}.js", AnswerType.Script)),
    ];

    public static void Register(Router router)
    {
        foreach ((string path, string resource, AnswerType type) in Files)
        {
            var file = new Lazy<PageFile>(() => PageFile.Load(resource, type));
            router.Map(Verb.Get, path, exchange =>
            {
                Answer(exchange, file.Value);
                return default;
            });
        }
    }

    private static void Answer(Exchange exchange, PageFile file)
    {
        if (exchange.TryGetHeader("if-none-match"u8, out ReadOnlySpan<byte> known) && known.IndexOf(file.ETag) >= 0)
        {
            exchange.Answer(304, file.Type);
        }
        else
        {
            exchange.Answer(200, file.Type).Raw(file.Text);
        }

        exchange.AddHeader("etag"u8, file.ETag);
        exchange.AddHeader("cache-control"u8, "no-cache"u8);
        exchange.AddHeader("content-security-policy"u8, ContentSecurityPolicy);
        exchange.AddHeader("x-content-type-options"u8, "nosniff"u8);
        exchange.AddHeader("referrer-policy"u8, "no-referrer"u8);
        exchange.AddHeader("cross-origin-opener-policy"u8, "same-origin"u8);
        exchange.AddHeader("cross-origin-resource-policy"u8, "same-origin"u8);
    }

    /// <param name="ETag">With its quotes.</param>
    private sealed record PageFile(byte[] Text, byte[] ETag, AnswerType Type)
    {
        public static PageFile Load(string resource, AnswerType type)
        {
            using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"web/{resource}")!;
            var text = new byte[stream.Length];
            stream.ReadExactly(text);
            return new PageFile(text, Encoding.ASCII.GetBytes($"\"{Convert.ToHexStringLower(SHA256.HashData(text).AsSpan(0, 12))}\""), type);
        }
    }
}
